"""What two minutes find with nothing set but the table: the winner's and the scorer's score on the holdout.

    make bench-quality
    python quality.py give_me_some_credit.csv.gz SeriousDlqin2yrs --seeds 0 1 2 3 4     on a table of your own

The holdout is 20 %, stratified, random_state = the seed: distml's default. The command's seconds include the scorer.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from measuring import TABLE, machine, run_sweep, spread

from distml.report.html.calibration import expected_error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path, default=TABLE)
    parser.add_argument("target", nargs="?", default="target")
    parser.add_argument("--drop", nargs="*", default=["ID"])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    args = parser.parse_args()
    drop = args.drop if args.table == TABLE else []
    data = {"source": str(args.table.absolute()), "target": args.target, "drop": drop}
    content = {"name": "quality", "data": data, "budget": {"minutes": args.minutes}, "export": True}
    found = []
    for seed in args.seeds:
        found.append(_run({**content, "seed": seed}))
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


def _calibration_error(run: Path) -> float:
    """Expected calibration error of the scorer on the holdout: 10 bins of equally many rows."""
    rows = pd.read_parquet(run / "evaluation.parquet").query("part == 'holdout'")
    return float(expected_error(rows["y"].to_numpy(), rows["calibrated"].to_numpy()))


if __name__ == "__main__":
    main()
