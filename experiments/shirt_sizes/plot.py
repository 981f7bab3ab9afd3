"""The scores by number of clusters, and the sizes that were found: python experiments/shirt_sizes/plot.py

Draws shares of people by hexagon, no single rows. Reads runs/shirt-sizes; --runs and --output as usual.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import distml

METRICS = {"silhouette": "higher is better", "davies_bouldin": "lower is better", "stability": "higher is better"}
COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]


def clusters_of(trials: pd.DataFrame) -> pd.Series:
    """The number of clusters asked for, whatever the family calls it."""
    return trials["params.n_clusters"].fillna(trials["params.n_components"]).astype(int)


def variant_of(trials: pd.DataFrame) -> pd.Series:
    """'hierarchical ward', 'gaussian-mixture full', 'k-means'."""
    settings = trials["params.linkage"].fillna(trials["params.covariance_type"]).fillna("")
    return (trials["family"] + " " + settings).str.strip()


def draw_scores(axes: Axes, trials: pd.DataFrame, metric: str) -> None:
    for name, members in trials.groupby(variant_of(trials)):
        ordered = members.assign(clusters=clusters_of(members)).sort_values("clusters")
        axes.plot(ordered["clusters"], ordered[f"metrics.{metric}"], marker="o", label=name)
    axes.set(xlabel="clusters", ylabel=metric, title=METRICS[metric], xticks=range(2, 7))


def draw_sizes(axes: Axes, rows: pd.DataFrame, title: str) -> None:
    """Hexagons in the colour of the cluster that most people in them are in, the smallest people's first."""
    order = rows.groupby("cluster")["Weight"].mean().rank().astype(int) - 1
    axes.hexbin(
        rows["Height"] * 2.54, rows["Weight"] * 0.4536, C=rows["cluster"].map(order), gridsize=40, mincnt=3,
        reduce_C_function=lambda places: np.bincount(np.asarray(places, dtype=int)).argmax(),
        cmap=ListedColormap(COLOURS[: len(order)]), vmin=0, vmax=len(order) - 1,
    )  # fmt: skip
    axes.set(xlabel="height (cm)", ylabel="weight (kg)", title=title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("shirt_sizes.png"))
    given = parser.parse_args()
    mpl.use("Agg")
    sweep = distml.load("shirt-sizes", given.runs)
    trials = sweep.trials().query("state == 'finished'")
    three = trials[clusters_of(trials) == 3].sort_values("metrics.stability").iloc[-1]
    figure = Figure(figsize=(13, 8), layout="constrained")
    top, bottom = figure.subplots(2, 3)
    for axes, metric in zip(top, METRICS, strict=True):
        draw_scores(axes, trials, metric)
    top[0].legend(fontsize="small")
    for axes, trial in zip(bottom, (trials.iloc[0], three), strict=False):
        number = clusters_of(trials)[trial.name]
        title = f"{trial['trial']}: {trial['family']}, {number} clusters, silhouette {trial['score']:.2f}"
        draw_sizes(axes, sweep.rows(trial["trial"]), title)
    source = pd.read_csv(sweep.record.spec["data"]["source"])
    draw_sizes(bottom[2], source.assign(cluster=(source["Gender"] == "Male").astype(int)), "women and men, not given")
    figure.savefig(given.output, dpi=80)
    print(given.output)


if __name__ == "__main__":
    main()
