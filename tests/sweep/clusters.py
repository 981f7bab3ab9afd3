"""Clusters that are not there."""

from distml.hardware.devices import DeviceClass
from distml.sweep.cluster import Cluster, Node


def rtx_3090s(count: int = 2, memory_mib: int = 24_576) -> DeviceClass:
    return DeviceClass("rtx-3090", tuple(f"GPU-{number}" for number in range(count)), memory_mib, 82)


def slices(profile: str, count: int = 1, memory_mib: int = 4864, multiprocessors: int = 14) -> DeviceClass:
    return DeviceClass(
        profile, tuple(f"MIG-{profile}-{number}" for number in range(count)), memory_mib, multiprocessors
    )


def mixed() -> Cluster:
    """A workstation of two 3090s, an A100 cut 3g + 2g + 1g + 1g, a node without a GPU; each started by itself."""
    return Cluster((
        Node("a100", 1, slices("3g.20gb", 1, 19_968, 42), apart=True),
        Node("a100", 1, slices("2g.10gb", 1, 9_984, 28), apart=True),
        Node("a100", 2, slices("1g.5gb", 2), apart=True),
        Node("cpu", 2, apart=True),
        Node("ws", 4, rtx_3090s(), apart=True),
    ))  # fmt: skip
