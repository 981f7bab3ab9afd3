"""How figures read: one way of writing each kind of number, everywhere."""

import math
from collections.abc import Container, Mapping

from distml.models.space import Value

UNKNOWN = "-"
_PREFIX = "preprocessing."


def score(value: float | None, spread: float | None = None) -> str:
    """A score, with its spread in the same number of decimals.

    >>> score(0.78684, 0.00409), score(-51234.5, 800.0), score(None)
    ('0.7868 ± 0.0041', '-51,234 ± 800', '-')
    """
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return str(value)
    if value and (abs(value) < 1e-3 or abs(value) >= 1e9):
        return f"{value:.3g}" + ("" if spread is None else f" ± {spread:.1g}")
    decimals = 4 if abs(value) < 10 else 2 if abs(value) < 10_000 else 0
    return f"{value:,.{decimals}f}" + ("" if spread is None else f" ± {spread:,.{decimals}f}")


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds as on a clock.

    >>> duration(9.4), duration(161), duration(36000), duration(None)
    ('0:09', '2:41', '10:00:00', '-')
    """
    if seconds is None:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def roughly(seconds: float) -> str:
    """A span in the one unit that suits it.

    >>> roughly(40), roughly(200), roughly(9000), roughly(400000)
    ('40 s', '3 min', '2.5 h', '5 d')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"


def amount(value: float | None) -> str:
    """Seconds or joules in a column: one decimal below a thousand, separated thousands above.

    >>> amount(6.21), amount(0.01), amount(43210.0), amount(None)
    ('6.2', '<0.1', '43,210', '-')
    """
    if value is None:
        return UNKNOWN
    if 0 < value < 0.05:
        return "<0.1"
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def count(number: int, noun: str) -> str:
    """'1 trial', '200 trials'."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def splitting(metric: str, folds: int, holdout_rows: int) -> list[str]:
    """What compares trials, and what is kept back, as phrases.

    >>> splitting("roc_auc", 5, 6000), splitting("silhouette", 5, 0)
    (['roc_auc, 5 folds', 'holdout 6,000 rows'], ['silhouette, 5 resamples', 'no target, so no holdout'])
    """
    if holdout_rows:
        return [f"{metric}, {count(folds, 'fold')}", f"holdout {holdout_rows:,} rows"]
    return [f"{metric}, {count(folds, 'resample')}", "no target, so no holdout"]


def parameter(value: Value) -> str:
    """A parameter's value, short.

    >>> parameter(0.0021304), parameter((256, 128)), parameter(True), parameter(None)
    ('0.00213', '256-128', 'yes', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple):
        return "-".join(parameter(item) for item in value) or "none"
    return str(value)


def parameters(params: Mapping[str, Value], shown: Container[str] | None = None) -> str:
    """'lr 0.0021, dropout 0.22', the model's own first, then the preprocessing's.

    shown: the names to show; all of them when None.
    """
    names = [name for name in params if shown is None or name in shown]
    names.sort(key=lambda name: name.startswith(_PREFIX))
    return ", ".join(f"{name.removeprefix(_PREFIX)} {parameter(params[name])}" for name in names)
