"""What AutoGluon finds in the same minutes on the same rows, in an environment of its own; see quality.py.

    python automl.py table.csv.gz target --drop ID --minutes 2 --seed 0        prints one JSON line

Its preset is its default, `medium_quality`; it stops before its time where it has trained all that this names.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import pandas as pd
from autogluon.tabular import TabularPredictor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("target")
    parser.add_argument("--drop", nargs="*", default=[])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    frame = pd.read_csv(args.table).drop(columns=args.drop)
    train, test = train_test_split(frame, test_size=0.2, stratify=frame[args.target], random_state=args.seed)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        predictor = TabularPredictor(label=args.target, eval_metric="roc_auc", path=folder, verbosity=0)
        predictor.fit(train, time_limit=60 * args.minutes, presets="medium_quality")
        seconds = time.perf_counter() - start
        positive = predictor.positive_class
        auc = roc_auc_score(test[args.target] == positive, predictor.predict_proba(test)[positive])
    print(json.dumps({"roc_auc": auc, "seconds": round(seconds, 1)}))


if __name__ == "__main__":
    main()
