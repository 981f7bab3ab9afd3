"""A sweep from its file to its leaderboard: the main job."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distml.errors import DistmlError, Mistake, MistakesError
from distml.sweep.differences import completed, differences
from distml.sweep.journal import Journal
from distml.sweep.preflight import Checked, preflight
from distml.sweep.progress import Watcher
from distml.sweep.resources import check_resources
from distml.sweep.runs import RunFolder, find_run
from distml.sweep.session import ray_session
from distml.sweep.spec import SweepSpec

if TYPE_CHECKING:
    from distml.sweep.variants import Variants


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended."""

    name: str
    folder: Path
    state: Literal["done", "interrupted", "stopped", "nothing"]
    checked: Checked


def run_sweep(
    spec: SweepSpec,
    *,
    runs: Path,
    address: str | None = None,
    fork: str | None = None,
    watcher: Watcher | None = None,
    verbose: bool = False,
    dashboard: bool = True,
) -> Outcome:
    """Run a sweep, or go on with it where it stopped.

    Args:
        runs: the folder of all runs; results go to runs / spec.name.
        address: of a running Ray, 'auto' for this machine's; None starts one here.
        fork: a new name, for a sweep whose file has changed.

    Raises:
        MistakesError: all that is wrong with the sweep file or the new name, before anything trains.
        DistmlError: anything else the user can mend.
    """
    parent = None if fork is None else spec.name
    if fork is not None:
        spec = _renamed(spec, fork)
        find_run(Path(runs), str(parent))  # of which there is something to fork
    folder = RunFolder(Path(runs) if address is None else Path(runs).absolute(), spec.name)
    checked = preflight(spec, folder.root)
    with folder.writer() as may_write, Journal(folder.journal, may_write) as journal:
        _check_same_sweep(journal.events, checked)
        folder.write_sweep_file(checked.resolved)
        with ThreadPoolExecutor(1) as side:  # Ray's start is mostly waiting: much can be got ready meanwhile
            ready = side.submit(_get_ready, checked)
            try:
                with ray_session(address, dashboard=dashboard, verbose=verbose) as session:
                    check_resources(spec, session.cluster)
                    if not session.is_local and (len(session.cluster.machines) > 1 or session.cluster.gpus):
                        from distml.sweep.machines import check_machines

                        check_machines(folder.path.absolute(), session.cluster)
                    variants = ready.result()
                    from distml.sweep.driver import Driver

                    state = Driver(checked, folder, journal, session, variants, watcher, parent).run()
            finally:
                ready.result().close()
    return Outcome(spec.name, folder.path, state, checked)


def _renamed(spec: SweepSpec, name: str) -> SweepSpec:
    try:
        SweepSpec(name=name, data=spec.data)  # a copy is not checked, and the name becomes a folder's
    except MistakesError as error:
        raise MistakesError("the new sweep", [Mistake("--fork", found.what) for found in error.mistakes]) from None
    return spec.model_copy(update={"name": name})


def _get_ready(checked: Checked) -> "Variants":
    """Import what the driver needs, Ray Tune and Optuna among it, and begin to prepare the table."""
    import distml.sweep.driver  # noqa: F401
    from distml.sweep.variants import Variants

    variants = Variants(checked)
    variants.prepare_ahead()
    return variants


def _check_same_sweep(events: Sequence[Mapping[str, Any]], checked: Checked) -> None:
    """Refuse to go on with a sweep whose trials would not compare with those it has."""
    openings = [event for event in events if event["event"] == "opened"]
    if not openings:
        return
    begun = completed(openings[-1]["spec"])
    changed = [str(found) for found in differences(begun, checked.resolved) if not found.harmless]
    if openings[-1]["data_sha256"] != checked.dataset.sha256:
        changed.append("data: the table's content has changed")
    if changed:
        what = "\n  ".join(changed)
        raise DistmlError(
            f"{checked.spec.name} was begun with another sweep file:\n  {what}\n"
            "Change it back to go on, or start a sweep of its own with --fork NEW-NAME"
        )
