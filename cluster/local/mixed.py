"""A mixed cluster on one machine without a GPU, to try distml on and to learn from:

    .venv/bin/python cluster/local/mixed.py start      # a head, a workstation, an A100 node and a CPU node
    .venv/bin/python cluster/local/mixed.py stop

Four machines stand on loopback, each begun by a `distml node start` of its own: `head`; `ws-3090` with two RTX 3090;
`a100` with one A100 cut into 3g.20gb + 2g.10gb + 1g.5gb + 1g.5gb; `cpu`. Their cards are those of a stand-in for NVML
(tests/hardware/standin, built here with gcc), so that everything is real but the cards: nothing computes on them.
To change: `--port` where 6379 is taken, `--folder` for the stand-in's files.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.hardware.standin import DRIVER, Card, a100, build, rtx_3090  # noqa: E402  # found by the line before it

CARDS: dict[str, list[Card]] = {
    "head": [],
    "ws-3090": [rtx_3090("GPU-3090-0"), rtx_3090("GPU-3090-1")],
    "a100": [a100("GPU-a100", {0: "3g.20gb", 1: "2g.10gb", 2: "1g.5gb", 3: "1g.5gb"})],
    "cpu": [],
}
CPUS = {"head": 1, "ws-3090": 8, "a100": 4, "cpu": 2}  # more than there may be: what Ray is told, not what there is
DISTML = Path(sys.executable).with_name("distml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["start", "stop"])
    parser.add_argument("--port", type=int, default=6379, help="of the head")
    parser.add_argument("--dashboard-port", type=int, default=8265)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/distml-mixed"), help="for the stand-in's files")
    asked = parser.parse_args()
    if asked.what == "stop":
        stop()
    else:
        start(asked.folder, asked.port, asked.dashboard_port)


def start(folder: Path, port: int, dashboard_port: int) -> None:
    library = build(folder)
    try:
        for name, cards in CARDS.items():
            machine = folder / f"{name}.txt"
            machine.write_text("\n".join([f"driver {DRIVER}", "cuda 12080", *(card.text() for card in cards)]) + "\n")
            role = [f"--address=127.0.0.1:{port}"]
            if name == "head":
                role = ["--head", f"--port={port}", f"--dashboard-port={dashboard_port}"]
            node(name, "start", *role, f"--cpus={CPUS[name]}", library=library, machine=machine)
    except BaseException:
        stop()
        raise


def stop() -> None:
    head, *others = CARDS
    ending = [subprocess.Popen([DISTML, "node", "stop", f"--name={name}"]) for name in others]
    failed = sum(process.wait() != 0 for process in ending)  # all are waited for
    subprocess.run([DISTML, "node", "stop", f"--name={head}"], check=True)
    if failed:
        sys.exit(1)


def node(name: str, *arguments: str, library: Path, machine: Path) -> None:
    """`distml node ...` as on a machine of that name; library, machine: the stand-in and what it says."""
    environment = dict(os.environ)
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    path = filter(None, [str(library), environment.get("LD_LIBRARY_PATH")])
    environment |= {"LD_LIBRARY_PATH": ":".join(path), "NVML_STANDIN": str(machine)}
    subprocess.run([DISTML, "node", *arguments, f"--name={name}"], check=True, env=environment)


if __name__ == "__main__":
    main()
