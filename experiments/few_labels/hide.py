"""A table most of whose labels are unknown: python experiments/few_labels/hide.py

Writes credit_default's table with the labels of a stratified share of its rows; the others' cells are empty.
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
TABLE = HERE.parent / "credit_default" / "credit_default_taiwan.csv.gz"


def hidden(table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The table with `target` known for a stratified share of its rows alone."""
    known, _ = train_test_split(table.index, train_size=share, stratify=table["target"], random_state=seed)
    return table.assign(target=table["target"].where(table.index.isin(known)).astype("Int64"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.1, help="of the rows have their label")
    parser.add_argument("--rows", type=int, default=6_000, help="of the table that are taken, the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "few_labels.csv.gz")
    args = parser.parse_args()
    hidden(pd.read_csv(TABLE, nrows=args.rows), args.share, args.seed).to_csv(
        args.output, index=False, compression={"method": "gzip", "mtime": 0}
    )
    print(args.output)


if __name__ == "__main__":
    main()
