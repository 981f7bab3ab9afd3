"""Versions that differ are told in a line."""

import doctest

from distml.sweep import mismatch


def test_the_example_holds_and_other_words_are_left_alone() -> None:
    assert doctest.testmod(mismatch) == (0, 1)
    assert mismatch.version_mismatch("ConnectionError: Could not find any running Ray instance") is None
