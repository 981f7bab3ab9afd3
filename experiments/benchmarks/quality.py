"""What two minutes find with nothing set but the table: the winner's and the scorer's score on the holdout.

    make bench-quality
    make bench-automl       over five seeds, each beside AutoGluon on the same rows
    python quality.py give_me_some_credit.csv.gz SeriousDlqin2yrs --seeds 0 1 2 3 4     on a table of your own
    python quality.py german.csv.gz creditability --positive bad --automl ~/automl/bin/python

The holdout is 20 %, stratified, random_state = the seed: distml's default. The command's seconds include the scorer.
`--automl` names the Python of an environment that has AutoGluon.
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
from measuring import HERE, TABLE, machine, run_sweep, spread

from distml.report.html.calibration import expected_error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path, default=TABLE)
    parser.add_argument("target", nargs="?", default="target")
    parser.add_argument("--positive", help="the class that is meant, where the table does not say it by 0 and 1")
    parser.add_argument("--drop", nargs="*", default=["ID"])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--automl", type=Path)
    args = parser.parse_args()
    drop = args.drop if args.table == TABLE else []
    data: dict[str, Any] = {"source": str(args.table.absolute()), "target": args.target, "drop": drop}
    data |= {"positive": args.positive} if args.positive else {}
    content = {"name": "quality", "data": data, "budget": {"minutes": args.minutes}, "export": True}
    found = []
    for seed in args.seeds:
        one = _run({**content, "seed": seed})
        if args.automl:
            peer = _automl(args.automl, args.table, args.target, drop, args.minutes, seed)
            one |= {"AutoGluon": peer["roc_auc"], "AutoGluon's seconds": peer["seconds"]}
            one["scorer less AutoGluon"] = one["scorer"] - peer["roc_auc"]
        found.append(one)
        print(json.dumps({"seed": seed, **found[-1]}), flush=True)
    figures = {
        name: spread([one[name] for one in found]) for name, value in found[0].items() if isinstance(value, float)
    }
    print(json.dumps({**figures, "machine": machine()}, indent=2))


def _run(content: dict[str, Any]) -> dict[str, Any]:
    seconds, shown, board, error = run_sweep(content, _calibration_error)
    winner = next(row for row in board if row["trial"] == shown["winner"])
    return {
        "scorer": shown["scorer"]["roc_auc"], "calibration error": error, "winner": shown["holdout"]["roc_auc"],
        "cross-validated": winner["score"], "seconds of the whole command": round(seconds, 1),
        "family": winner["family"], "trials": shown["counts"],
    }  # fmt: skip


def _automl(python: Path, table: Path, target: str, drop: list[str], minutes: float, seed: int) -> dict[str, float]:
    script = [python, HERE / "automl.py", table, target, f"--minutes={minutes}", f"--seed={seed}", "--drop", *drop]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _calibration_error(run: Path) -> float:
    """Expected calibration error of the scorer on the holdout: 10 bins of equally many rows."""
    rows = pd.read_parquet(run / "evaluation.parquet").query("part == 'holdout'")
    return float(expected_error(rows["y"].to_numpy(), rows["calibrated"].to_numpy()))


if __name__ == "__main__":
    main()
