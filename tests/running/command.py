"""The real command line, in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GERMAN = ROOT / "experiments" / "credit_german" / "credit_german.csv.gz"


def sweep_file(folder: Path, **changes: Any) -> Path:
    """A quick sweep over the German credit table."""
    content = {
        "name": "quick",
        "seed": 3,
        "data": {"source": str(GERMAN), "target": "creditability", "positive": "bad"},
        "split": {"folds": 3},
        "families": ["logistic-regression"],
        "search": {"algorithm": "random", "scheduler": "none"},
        "budget": {"trials": 6},
        "export": False,
        **changes,
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(content))))  # what stands twice is written out twice
    return path


def diary_family(**space: Any) -> dict[str, Any]:
    """A family of tests/running/models.py."""
    whole = {"strength": {"low": 0.0, "high": 1.0}, **space}
    return {"diary": {"class": "tests.running.models:Diary", "space": whole}}


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "DISTML_TEST_DIARY": str(folder / "diary.txt"), "COLUMNS": "100"}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Begin `distml ...` on the runs of this folder, named as users do: from where they stand."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("distml")), *arguments, "--runs", os.path.relpath(folder / "runs", ROOT)],
        cwd=ROOT, env=environment(folder), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def distml(folder: Path, *arguments: str, expect: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run `distml ...` to its end; its exit status must be as expected."""
    process = start(folder, *arguments)
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == expect, f"exit {process.returncode}\n{out}\n{err}"
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def rows(folder: Path, name: str = "quick") -> list[dict[str, Any]]:
    return json.loads(distml(folder, "leaderboard", name, "--format", "json").stdout)


def scores(folder: Path, name: str = "quick") -> dict[str, float]:
    return {row["trial"]: row["score"] for row in rows(folder, name)}


def diary(folder: Path) -> list[str]:
    path = folder / "diary.txt"
    return path.read_text().splitlines() if path.exists() else []
