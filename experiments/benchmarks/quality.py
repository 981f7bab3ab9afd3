"""The winner's holdout score after two minutes, with nothing set but the table.

    make bench-quality
    python quality.py give_me_some_credit.csv.gz SeriousDlqin2yrs     on a table of your own

The holdout is 20 %, stratified, random_state=0: distml's default with `seed: 0`.
"""

import argparse
import json
from pathlib import Path

from measuring import TABLE, machine, run_sweep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path, default=TABLE)
    parser.add_argument("target", nargs="?", default="target")
    parser.add_argument("--drop", nargs="*", default=["ID"])
    parser.add_argument("--minutes", type=float, default=2.0)
    args = parser.parse_args()
    drop = args.drop if args.table == TABLE else []
    data = {"source": str(args.table.absolute()), "target": args.target, "drop": drop}
    content = {"name": "quality", "seed": 0, "data": data, "budget": {"minutes": args.minutes}}
    seconds, shown, board = run_sweep(content)
    winner = next(row for row in board if row["trial"] == shown["winner"])
    found = {
        "holdout": shown["holdout"], "winner": winner["family"], "cross-validated": winner["score"],
        "trials": shown["counts"], "seconds of the whole command": round(seconds, 1), "machine": machine(),
    }  # fmt: skip
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
