"""Reviews of women's clothing as experiments on text use them: text and class, made from the table as it is offered.

    python experiments/clothing.py clothing_reviews.csv.gz

The table ("Women's E-Commerce Clothing Reviews", 23,486 x 10) may not be handed on, so it is not in this repository.
Two of its 20 classes have one and two reviews; they cannot stand on both sides of a split and are taken out. Written
beside this file, and ignored by git: `reviews.csv.gz`, all reviews with a text; `requests.csv.gz`, 6,000 of them.
"""

import argparse
from pathlib import Path

import pandas as pd

FEW = 5
REQUESTS = 6_000
HERE = Path(__file__).parent


def reviews(table: pd.DataFrame) -> pd.DataFrame:
    """Text and class of all reviews that have both, without classes of fewer than five."""
    found = table[["Review Text", "Class Name"]].dropna().rename(columns={"Review Text": "text", "Class Name": "class"})
    counts = found["class"].value_counts()
    return found[found["class"].map(counts) >= FEW].reset_index(drop=True)


def requests(found: pd.DataFrame, rows: int = REQUESTS) -> pd.DataFrame:
    """A sample of so many rows, each class keeping its share and at least five."""
    share = rows / len(found)
    parts = [
        part.sample(max(FEW, round(share * len(part))), random_state=0) for _, part in found.groupby("class", sort=True)
    ]
    return pd.concat(parts).sample(frac=1, random_state=0).reset_index(drop=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--output", type=Path, default=HERE)
    args = parser.parse_args()
    found = reviews(pd.read_csv(args.table))
    found.to_csv(args.output / "reviews.csv.gz", index=False)
    requests(found).to_csv(args.output / "requests.csv.gz", index=False)


if __name__ == "__main__":
    main()
