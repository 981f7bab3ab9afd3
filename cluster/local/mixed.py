"""A mixed cluster on one machine without a GPU, to try distml on and to learn from:

    .venv/bin/python cluster/local/mixed.py start      # a head, a workstation, an A100 node and a CPU node
    .venv/bin/python cluster/local/mixed.py stop
    .venv/bin/python cluster/local/mixed.py tour       # a sweep and all there is to see of it; also without `start`

Four machines stand on loopback, each begun by a `distml node start` of its own: `head`; `ws-3090` with two RTX 3090;
`a100` with one A100 cut into 3g.20gb + 2g.10gb + 1g.5gb + 1g.5gb; `cpu`. Their cards are those of a stand-in for NVML
(tests/hardware/standin, built here with gcc), so that everything is real but the cards: nothing computes on them.
To change: `--port` where 6379 is taken, `--folder` for the stand-in's files. The tour asks Prometheus where it is
installed (Debian and Ubuntu: apt-get install prometheus).
"""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

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
    parser.add_argument("what", choices=["start", "stop", "tour"])
    parser.add_argument("--port", type=int, default=6379, help="of the head")
    parser.add_argument("--dashboard-port", type=int, default=8265)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/distml-mixed"), help="for the stand-in's files")
    asked = parser.parse_args()
    if asked.what == "stop":
        stop()
        return
    if asked.what == "start":
        start(asked.folder, asked.port, asked.dashboard_port)
        return
    was_up = is_up(asked.port)
    if not was_up:
        start(asked.folder, asked.port, asked.dashboard_port)
    try:
        tour(asked.folder, f"127.0.0.1:{asked.port}", asked.dashboard_port)
    finally:
        if not was_up:
            stop()


def start(folder: Path, port: int, dashboard_port: int) -> None:
    library = build(folder)
    try:
        for name, cards in CARDS.items():
            machine = folder / f"{name}.txt"
            machine.write_text(
                "\n".join([f"driver {DRIVER}", "cuda 12080", f"epoch {time.time()}", *(card.text() for card in cards)])
                + "\n"
            )
            role = [f"--address=127.0.0.1:{port}"]
            if name == "head":
                role = ["--head", f"--port={port}", f"--dashboard-port={dashboard_port}"]
            node(name, "start", *role, f"--cpus={CPUS[name]}", library=library, machine=machine)
    except BaseException:
        stop()
        raise


def is_up(port: int) -> bool:
    """Whether a head listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


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


# --- the tour

FILE = Path(__file__).with_name("sweep.yaml")
QUERIES = (  # of the trials that run and the best ones, each with its own figures
    'topk(5, ray_distml_trial_score{sweep="mixed"})',
    'topk(5, ray_distml_trial_gpu_seconds{sweep="mixed"})',
    'topk(5, ray_distml_trial_energy_joules{sweep="mixed"})',
)
Found = TypeVar("Found")


def tour(folder: Path, address: str, dashboard_port: int) -> None:
    """A sweep over the cluster, and every way to look at it."""
    runs = f"--runs={folder / 'runs'}"
    shutil.rmtree(folder / "runs", ignore_errors=True)
    say("devices", f"--address={address}")
    say("plan", str(FILE), f"--address={address}", runs)
    with (folder / "sweep.log").open("wb") as log:
        sweep = subprocess.Popen(
            [DISTML, "sweep", FILE, "--set=budget.trials=5000", "--no-export", f"--address={address}", runs],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    prometheus, ask = watch(folder)
    try:
        wait_for(lambda: sweep.poll() is not None or running(runs))
        say("status", "mixed", runs)
        say("top", "--once", runs)
        nodes = dashboard(dashboard_port)
        print(f"\nRay dashboard   http://127.0.0.1:{dashboard_port}   {nodes} nodes alive")
        for query in QUERIES:
            show(query, wait_for(lambda query=query: ask(query)) if ask else None)
        say("stop", "mixed", "--now", runs)
        sweep.wait(timeout=300)
        print("\n" + (folder / "sweep.log").read_text())
    finally:
        for process in filter(None, (sweep, prometheus)):
            process.terminate()
            process.wait(timeout=60)


def say(*arguments: str) -> None:
    """A command as a user would type it, and what it says."""
    print(f"\n$ distml {shlex.join(arguments)}", flush=True)
    subprocess.run([DISTML, *arguments], check=True)


def wait_for(found: Callable[[], Found], seconds: float = 180.0) -> Found:
    latest = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > latest:
            sys.exit(f"nothing came of it in {seconds:.0f} s")
        time.sleep(1)
    return value


def running(runs: str) -> bool:
    """Whether cohorts train on several machines, and their nodes are watched."""
    done = subprocess.run([DISTML, "top", "--once", "--format=json", runs], capture_output=True, text=True)
    cohorts = json.loads(done.stdout)["cohorts"] if done.returncode == 0 else []
    return len({cohort["node"] for cohort in cohorts if cohort["node"]}) >= 2


def dashboard(port: int) -> int:
    """How many nodes it counts; it wants the token, as all of Ray does."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token").read_text().strip()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/nodes?view=summary", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        found = json.load(answer)["data"]["summary"]
    return sum(node["raylet"].get("state") == "ALIVE" for node in found)


def watch(folder: Path) -> "tuple[subprocess.Popen[bytes] | None, Callable[[str], list[dict[str, Any]]] | None]":
    """Prometheus with the configuration of cluster/monitoring, and a way to ask it; neither where there is none."""
    program = shutil.which("prometheus")
    if program is None:
        return None, None
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    configuration = (ROOT / "cluster" / "monitoring" / "prometheus.yml").read_text()
    file = folder / "prometheus.yml"
    file.write_text(configuration.replace("[/tmp/ray/", f"[{os.environ.get('RAY_TMPDIR', '/tmp')}/ray/"))
    with (folder / "prometheus.log").open("wb") as log:
        command = [program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus'}"]
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)

    def ask(query: str) -> list[dict[str, Any]]:
        try:
            question = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
            with urllib.request.urlopen(question, timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except OSError:  # it is not up yet
            return []
        return found

    return process, ask


def show(query: str, found: list[dict[str, Any]] | None) -> None:
    print(f"\nPrometheus   {query}")
    if found is None:
        print("  not asked: Prometheus is not installed here")
        return
    for one in found:
        print(f"  {one['metric']['trial']}   {one['metric']['family']:<20} {float(one['value'][1]):10.4f}")


if __name__ == "__main__":
    main()
