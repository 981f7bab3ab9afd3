"""What went wrong with a trial, as a record that outlives its process."""

import traceback

from distml.training.cohort import Failure, FailureClass

_DATA_WORDS = ("nan", "inf", "shape", "sample", "feature", "class", "missing", "dtype", "label")


def failure_of(error: BaseException) -> Failure:
    """The class, last line and traceback of an exception that a trial raised."""
    text = "".join(traceback.format_exception(error))
    lines = text.strip().splitlines()
    return Failure(kind=_kind(error), error=lines[-1] if lines else repr(error), traceback=text)


def _kind(error: BaseException) -> FailureClass:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    if isinstance(error, TimeoutError):
        return "timeout"
    words = str(error).lower()
    if isinstance(error, ValueError) and any(word in words for word in _DATA_WORDS):
        return "data"
    return "code"
