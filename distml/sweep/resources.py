"""What each family's cohorts ask for, and whether the cluster has it."""

from distml.errors import Mistake, MistakesError
from distml.sweep.cluster import Cluster, is_slice
from distml.sweep.preflight import Checked
from distml.sweep.spec import SweepSpec
from distml.sweep.wish import Wish, share


def wishes(checked: Checked, cluster: Cluster) -> dict[str, Wish]:
    """Family -> what one of its cohorts asks for. `gpu: auto` is a GPU, where there is one, for a network and for a
    class of the user's own that says so itself, and none for others."""
    found = {}
    for name, (family, _) in checked.families.items():
        asked = checked.spec.resources_of(name)
        may_use = family.engine == "network" or _says_itself(checked.spec, name)
        on_gpu = asked.gpu != "auto" or (cluster.gpus and may_use)
        found[name] = Wish(asked.cpu, asked.gpu if on_gpu else "none")
    return found


def _says_itself(spec: SweepSpec, family: str) -> bool:
    """Whether a class of the user's own asks for 'auto' itself: distml cannot know what it computes on."""
    own = spec.family_specs[family]
    return own.class_ is not None and own.resources is not None and "gpu" in own.resources.model_fields_set


def check_resources(spec: SweepSpec, cluster: Cluster) -> None:
    """Raise MistakesError for resources that no node has, before anything trains."""
    mistakes = []
    for family in spec.family_specs:
        asked = spec.resources_of(family)
        own = spec.family_specs[family].resources
        for key, what in (("cpu", _cpu_mistake(asked.cpu, cluster)), ("gpu", _gpu_mistake(asked.gpu, cluster))):
            where = f"families.{family}.resources" if own and key in own.model_fields_set else "resources"
            if what:
                mistakes.append(Mistake(f"{where}.{key}", what))
    if not mistakes:
        for family in spec.family_specs:
            asked = spec.resources_of(family)
            what = _together_mistake(Wish(asked.cpu, asked.gpu), cluster)
            if what:
                mistakes.append(Mistake(f"families.{family}.resources", what))
    if mistakes:
        raise MistakesError(spec.subject, dict.fromkeys(mistakes))


def _cpu_mistake(cpus: int, cluster: Cluster) -> str:
    most = max((node.cpus for node in cluster.nodes), default=0)
    if cpus <= most:
        return ""
    return f"{cpus} CPUs; " + (f"there are {most}" if len(cluster.nodes) == 1 else f"no node has more than {most}")


def _gpu_mistake(gpu: str | float, cluster: Cluster) -> str:
    if gpu in ("auto", "none"):
        return ""
    classes = cluster.device_classes
    if not classes:
        return f"{gpu!r}, but there is no GPU here; use auto or none"
    wish = Wish(1, gpu)
    if any(share(wish, node.devices).slots for node in cluster.nodes if node.devices):
        return ""
    slices = sorted({one.name for one in classes if is_slice(one)})
    if wish.memory_mib is not None:
        sizes = ", ".join(f"{one.name} {one.memory_mib / 1024:.1f} GiB" for one in classes if one.memory_mib)
        if not sizes:
            return f"{gpu!r}: no device here tells its memory; use a fraction, or start nodes by distml node start"
        return f"{gpu!r} is more than any device has ({sizes}); ask for less, or use auto"
    if isinstance(gpu, str):
        profile = gpu.removeprefix("mig:")
        if not slices:
            return f"{gpu!r}, but no card here is cut by MIG; use auto, a fraction like 0.25 or a size like 6GiB"
        known = ", ".join(f"mig:{name}" for name in slices)
        return f"no slice here is {profile!r}; there are {known}, or use mig:any"
    most = max((len(node.devices.uuids) for node in cluster.nodes if node.devices and not is_slice(node.devices)),
               default=1)  # fmt: skip
    return f"{gpu:g} GPUs for one cohort; no node has more than {most} whole cards alike"


def _together_mistake(wish: Wish, cluster: Cluster) -> str:
    """Cores and a device may each be there, and not on one node."""
    if wish.gpu in ("auto", "none"):
        return ""
    suited = [node for node in cluster.nodes if node.devices and share(wish, node.devices).slots]
    most = max(node.cpus for node in suited)
    if wish.cpus <= most:
        return ""
    return f"{wish.cpus} CPUs and gpu {wish.gpu}: nodes with such a device have at most {most} CPUs; ask for fewer"
