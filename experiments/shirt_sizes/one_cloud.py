"""k-means on the people, and on as many drawn from one normal distribution of the same spread.

python experiments/shirt_sizes/one_cloud.py [TABLE]
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from distml.data.splits import resample_rows
from distml.models.metrics import Evaluator
from distml.models.unsupervised import stability


def scores(x: np.ndarray, clusters: int, resamples: int = 10) -> tuple[float, float, float]:
    """(silhouette, its sd, stability) of k-means on resamples of half of the rows."""
    evaluator = Evaluator("silhouette", [], "clustering", 0)
    rows = [some for some, _ in resample_rows(len(x), resamples=resamples, left_out=0.5, seed=0).folds]
    labels = [KMeans(clusters, n_init=5, random_state=0).fit_predict(x[some]) for some in rows]
    found = [evaluator(x[some], label)["silhouette"] for some, label in zip(rows, labels, strict=True)]
    return float(np.mean(found)), float(np.std(found, ddof=1)), float(np.mean(stability(rows, labels)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path, default=Path(__file__).with_name("heights_weights.csv.gz"))
    people = StandardScaler().fit_transform(pd.read_csv(parser.parse_args().table)[["Height", "Weight"]])
    cloud = np.random.default_rng(0).multivariate_normal([0, 0], np.cov(people.T), len(people))
    print("clusters   rows         silhouette        stability")
    for clusters in (2, 3, 4):
        for name, x in (("people", people), ("one cloud", cloud)):
            silhouette, sd, stable = scores(x, clusters)
            print(f"{clusters:<11}{name:<13}{silhouette:.3f} ± {sd:.3f}     {stable:.3f}")


if __name__ == "__main__":
    main()
