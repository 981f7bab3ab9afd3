"""What stops a sweep before Ray starts."""

from pathlib import Path

import pytest

from distml.errors import DistmlError, MistakesError
from distml.sweep.run import run_sweep
from distml.sweep.spec import SweepSpec

GERMAN = Path(__file__).parents[2] / "experiments/credit_german/credit_german.csv.gz"


@pytest.mark.parametrize("name", ["../../evil", "", "-x", "a b", "."])
def test_a_fork_needs_a_name_that_a_sweep_may_have(tmp_path: Path, name: str) -> None:
    spec = SweepSpec(name="german", data={"source": GERMAN, "target": "creditability"})
    with pytest.raises(MistakesError, match="is not a name") as raised:
        run_sweep(spec, runs=tmp_path / "a" / "runs", fork=name)
    assert [mistake.where for mistake in raised.value.mistakes] == ["--fork"]
    assert list(tmp_path.iterdir()) == []


def test_a_fork_has_a_parent(tmp_path: Path) -> None:
    spec = SweepSpec(name="german", data={"source": GERMAN, "target": "creditability"})
    with pytest.raises(DistmlError, match="no sweep 'german' in"):
        run_sweep(spec, runs=tmp_path, fork="child")
    assert list(tmp_path.iterdir()) == []
