"""Every experiment that is a sweep file, each cut to less than half a minute of training; a line each of what came out.

    python experiments/small.py        (make experiments)

One whose table is not there, because its licence keeps it out of this repository, is skipped and says so.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import yaml

HERE = Path(__file__).parent
MAKERS = {"collect": "collect.py", "shared_tasks": "bags.py"}  # folder -> what makes its tables of shipped ones
PROGRAM = str(Path(sys.executable).with_name("distml"))


def small(file: Path, runs: Path, minutes: float) -> str:
    """Run one, and say in a line what came of it. Raises CalledProcessError where nothing did."""
    spec = yaml.safe_load(file.read_text())
    make(file.parent, spec["data"]["source"])
    if not (file.parent / spec["data"]["source"]).exists():
        return f"skipped: {spec['data']['source']} is not here"
    start = time.perf_counter()
    options = ["--set", f"budget.minutes={minutes}", "--runs", str(runs), "--no-export"]
    subprocess.run([PROGRAM, "sweep", str(file), *options], check=True, stdout=subprocess.DEVNULL)
    show = [PROGRAM, "show", spec["name"], "--runs", str(runs), "--format", "json"]
    shown = json.loads(subprocess.check_output(show))
    board = [PROGRAM, "leaderboard", spec["name"], "--runs", str(runs), "--format", "json"]
    best = json.loads(subprocess.check_output(board))[0]
    scores = [f"{shown['metric']} {best['score']:.4g}"]
    scores += [f"holdout {metric} {value:.4g}" for metric, value in (shown["holdout"] or {}).items()]
    trials = f"{best['trial']} ({best['family']}) of {sum(shown['counts'].values()):,} trials"
    return f"{trials}: {', '.join(scores)}   {time.perf_counter() - start:.0f} s"


def make(folder: Path, source: str) -> None:
    """Make a table that is made of shipped ones, where it is not there yet."""
    if folder.name in MAKERS and not (folder / source).exists():
        command = [sys.executable, str(folder / MAKERS[folder.name])]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="folders; all where none is named")
    parser.add_argument("--minutes", type=float, default=0.4, help="of training, each")
    parser.add_argument("--runs", type=Path, default=Path("runs/small"))
    args = parser.parse_args()
    failed = []
    for file in sorted(HERE.glob("*/*.yaml")):
        folder = file.parent.name
        if args.names and folder not in args.names:
            continue
        try:
            print(f"{folder + '/' + file.stem:32} {small(file, args.runs, args.minutes)}", flush=True)
        except subprocess.CalledProcessError as error:
            failed.append(folder)
            print(f"{folder + '/' + file.stem:32} exit {error.returncode}: {' '.join(map(str, error.cmd))}", flush=True)
    sys.exit(f"nothing came of: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
