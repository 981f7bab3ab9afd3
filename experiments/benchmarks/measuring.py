"""What the benchmarks share: the machine they ran on, the spread of a figure, distml as a user calls it."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
TABLE = HERE.parent / "credit_default" / "credit_default_taiwan.csv.gz"
PROGRAM = str(Path(sys.executable).with_name("distml"))


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return {
        "cpus": os.cpu_count(),
        "processor": names[0] if names else platform.machine(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def spread(values: list[float]) -> dict[str, float]:
    figures = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 4) for name, value in figures.items()}


def run_sweep(
    content: dict[str, Any], look: Callable[[Path], Any] = lambda run: None
) -> tuple[float, dict[str, Any], list[dict[str, Any]], Any]:
    """(seconds of the whole command, the sweep as `distml show` has it, its leaderboard, what `look` saw of its run).

    Without a scorer, unless the content asks for one: peers make none.
    """
    data = {"source": str(TABLE), "target": "target", "drop": ["ID"]}
    content = {"data": data, "metric": "roc_auc", "export": False, **content}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.yaml"
        file.write_text(yaml.safe_dump(content))
        start = time.perf_counter()
        subprocess.run([PROGRAM, "sweep", file, "--runs", folder], check=True, stdout=subprocess.DEVNULL, cwd=HERE)
        seconds = time.perf_counter() - start
        said = [
            subprocess.run(
                [PROGRAM, command, content["name"], "--runs", folder, "--format", "json"],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for command in ("show", "leaderboard")
        ]
        seen = look(Path(folder) / str(content["name"]))
    return seconds, json.loads(said[0]), json.loads(said[1]), seen


def run_python(*arguments: str, **settings: str) -> tuple[float, str]:
    """(seconds, last line) of a script of this folder in a process of its own, its results in a folder that goes."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore", "HOME": home, **settings}
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *arguments], check=True, capture_output=True, text=True, cwd=HERE, env=environment
        )
        return time.perf_counter() - start, done.stdout.strip().splitlines()[-1]
