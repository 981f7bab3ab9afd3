"""distml: search thousands of model configurations on the GPUs a team already has."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distml.report.loaded import LoadedSweep, load
    from distml.sweep.run import run_sweep
    from distml.sweep.spec import SweepSpec

# Imported on first use: `import distml` alone takes milliseconds, the libraries behind these take seconds.
_HOMES = {
    "LoadedSweep": "distml.report.loaded",
    "SweepSpec": "distml.sweep.spec",
    "load": "distml.report.loaded",
    "run_sweep": "distml.sweep.run",
}

__all__ = ["LoadedSweep", "SweepSpec", "__version__", "load", "run_sweep"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("distml")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'distml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
