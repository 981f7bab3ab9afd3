"""Machines with GPUs that are not there: a real libnvidia-ml.so.1 in C, found by the dynamic loader.

`nvml.c` says what its file may hold. Functions run in a process of their own, started with LD_LIBRARY_PATH, as
every process of a user finds the library; nothing in Python is replaced.
"""

import multiprocessing
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml.c")
DRIVER = "570.86.15"


@dataclass
class Slice:
    """A MIG slice; lines: further facts of the stand-in's file."""

    index: int
    profile: str
    gpu_slices: int
    sms: int
    memory_mib: int
    uuid: str = ""
    lines: Sequence[str] = ()


@dataclass
class Card:
    """A whole card."""

    name: str
    uuid: str
    memory_mib: int
    lines: Sequence[str] = ()
    slices: Sequence[Slice] = field(default_factory=list)

    def text(self) -> str:
        lines = [f"gpu {self.name}", f"uuid {self.uuid}", f"memory {self.memory_mib}", *self.lines]
        for number, piece in enumerate(self.slices):
            lines += [
                f"slice {piece.index} {self.name} MIG {piece.profile}",
                f"uuid {piece.uuid or f'MIG-{self.uuid[4:]}-{piece.index}'}",
                f"memory {piece.memory_mib}",
                f"sms {piece.sms}",
                f"slices {piece.gpu_slices} {piece.gpu_slices}",
                f"instance {number + 1} 0",
                *piece.lines,
            ]
        return "\n".join(lines)


def rtx_3090(uuid="GPU-3090", *lines):
    """24 GiB, 82 multiprocessors, no MIG."""
    facts = ["cores 10496", "capability 8 6", "limit 350", "used 0:400", "power 0:22", "utilisation 0:0"]
    facts += ["temperature 0:35", "sm_clock 0:1695", "memory_clock 0:9751", "throttle 0:0"]
    return Card("NVIDIA GeForce RTX 3090", uuid, 24576, [*facts, *lines])


PROFILES = {"1g.5gb": (1, 14, 4864), "2g.10gb": (2, 28, 9984), "3g.20gb": (3, 42, 19968), "7g.40gb": (7, 98, 40192)}


def a100(uuid="GPU-a100", layout=None, *lines):
    """An A100-40, whole or cut; layout: index -> profile."""
    facts = ["cores 6912", "capability 8 0", "limit 400", "used 0:600", "power 0:210", "utilisation 0:50"]
    facts += ["temperature 0:41", "sm_clock 0:1410", "memory_clock 0:1215", "throttle 0:1"]
    facts += ["mig 0 0" if layout is None else "mig 1 1", *lines]
    slices = [Slice(index, profile, *PROFILES[profile]) for index, profile in (layout or {}).items()]
    return Card("NVIDIA A100-SXM4-40GB", uuid, 40960, facts, slices)


def h100(uuid="GPU-h100", slices=None):
    """An H100-80 with GPM, whole or cut into 1g.10gb; slices: the time series of each one's utilisation."""
    facts = ["cores 16896", "capability 9 0", "limit 700", "used 0:600", "power 0:400", "utilisation 0:30", "gpm 1"]
    facts += ["temperature 0:41", "sm_clock 0:1980", "memory_clock 0:2619", "throttle 0:0"]
    facts += ["mig 0 0" if slices is None else "mig 1 1"]
    cut = [
        Slice(index, "1g.10gb", 1, 16, 9984, lines=["used 0:100", f"utilisation {series}"])
        for index, series in enumerate(slices or [])
    ]
    return Card("NVIDIA H100 80GB HBM3", uuid, 81559, facts, cut)


def build(folder: Path, *, old: bool = False) -> Path:
    """Compile the library into a folder for LD_LIBRARY_PATH; old: as a driver of some years ago has it."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    command = ["gcc", *flags, *["-DOLD_DRIVER"] * old, "-o", folder / "libnvidia-ml.so.1", SOURCE, "-lpthread"]
    subprocess.run(command, check=True)
    return folder


class StandIn:
    """A machine: its cards can be exchanged while a process looks at them."""

    def __init__(self, library: Path, file: Path) -> None:
        self.library = library
        self.file = file
        self.environment = {"LD_LIBRARY_PATH": str(library), "NVML_STANDIN": str(file)}
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)  # the loader reads it as the process starts, so it cannot be set there
        self._process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self._process.submit(os.getpid).result()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

    def holds(self, *cards: Card, clock: float = 0.0, lines: Sequence[str] = ()) -> None:
        """From now on the machine has these cards, and the time is `clock` seconds; lines: facts about all of it."""
        machine = [f"driver {DRIVER}", "cuda 12080", f"clock {clock}", *lines, *(card.text() for card in cards)]
        written = self.file.with_suffix(".new")
        written.write_text("\n".join(machine) + "\n")
        written.replace(self.file)

    def run(self, function, *arguments):
        """What the function gives on that machine."""
        return self._process.submit(function, *arguments).result(timeout=60)

    def close(self) -> None:
        """End its process."""
        self._process.shutdown()
