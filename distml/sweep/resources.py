"""What each family's cohorts reserve, and whether the machine has it."""

from distml.errors import Mistake, MistakesError
from distml.sweep.preflight import Checked
from distml.sweep.session import Session
from distml.sweep.spec import SweepSpec


def placement(checked: Checked, family: str, session: Session) -> dict[str, float]:
    """CPUs and GPUs of one cohort. `gpu: auto` is one GPU for a network where there is one, else none.

    Returns {'CPU': 1, 'GPU': 0.25}; no 'GPU' where none is taken.
    """
    asked = checked.spec.resources_of(family)
    gpus = asked.gpu
    if gpus == "auto":
        gpus = 1 if session.gpus and checked.families[family][0].engine == "network" else "none"
    return {"CPU": asked.cpu} if gpus == "none" else {"CPU": asked.cpu, "GPU": float(gpus)}


def slots_of(checked: Checked, session: Session) -> int:
    """How many cohorts run at once when the smallest are chosen."""
    least = min(placement(checked, family, session)["CPU"] for family in checked.families)
    return max(1, int(session.cpus // least))


def check_resources(spec: SweepSpec, session: Session) -> None:
    """Raise MistakesError for resources that no node has, before anything trains."""
    mistakes = []
    for family in spec.family_specs:
        asked = spec.resources_of(family)
        where = f"families.{family}.resources" if spec.family_specs[family].resources else "resources"
        if asked.cpu > session.cpus:
            mistakes.append(Mistake(f"{where}.cpu", f"{asked.cpu} CPUs; there are {session.cpus}"))
        if asked.gpu in ("auto", "none"):
            continue
        if not session.gpus:
            mistakes.append(Mistake(f"{where}.gpu", f"{asked.gpu!r}, but there is no GPU here; use auto or none"))
        elif isinstance(asked.gpu, str):
            what = f"{asked.gpu!r} cannot be placed yet; use a fraction of a GPU (0.25) or a number of them"
            mistakes.append(Mistake(f"{where}.gpu", what))
        elif asked.gpu > session.gpus:
            mistakes.append(Mistake(f"{where}.gpu", f"{asked.gpu} GPUs; there are {session.gpus:g}"))
    if mistakes:
        raise MistakesError("the sweep", dict.fromkeys(mistakes))
