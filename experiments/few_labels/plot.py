"""The learning curves as a picture: python experiments/few_labels/plot.py; reads what curves.py wrote beside it."""

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

HERE = Path(__file__).parent
LINES = {
    "logistic regression": ("#4477aa", "-"),
    "self-training": ("#4477aa", "--"),
    "asking, logistic regression": ("#4477aa", ":"),
    "random forest": ("#228833", "-"),
    "asking, random forest": ("#228833", ":"),
    "nearest neighbours": ("#ee6677", "-"),
    "label spreading": ("#ee6677", "--"),
}


def _curves() -> ModuleType:
    spec = importlib.util.spec_from_file_location("few_labels_curves", HERE / "curves.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(axes: Axes, found: pd.DataFrame, title: str) -> None:
    """Mean ROC AUC on the holdout by share of labels, bars of one standard error over seeds."""
    summary = _curves().beside_twins(found)
    seeds = found["seed"].nunique()
    for place, (method, (colour, style)) in enumerate(LINES.items()):
        own = summary[summary["method"] == method].sort_values("share")
        apart = own["share"] * 1.02 ** (place - 3)  # so that bars do not hide each other
        error = own["sd"] / seeds**0.5
        axes.errorbar(apart, own["mean"], error, marker="o", capsize=2, label=method, color=colour, linestyle=style)
    for method in ("logistic regression", "random forest"):
        (reference,) = summary.loc[summary["method"] == f"all labels, {method}", "mean"]
        axes.axhline(reference, color=LINES[method][0], linewidth=0.7, label=f"all labels, {method}")
    axes.set(
        xscale="log", xlabel="share of the training rows with a label", ylabel="ROC AUC on the holdout", title=title
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sorted(share for share in found["share"].unique() if share < 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--curves", type=Path, default=HERE, help="the folder of curves_german.csv.gz, curves_taiwan.csv.gz"
    )
    parser.add_argument("--output", type=Path, default=HERE / "few_labels.png")
    given = parser.parse_args()
    mpl.use("Agg")
    files = sorted(given.curves.glob("curves_*.csv.gz"))
    figure = Figure(figsize=(6.5 * len(files), 4.8), layout="constrained")
    for axes, file in zip(figure.subplots(1, len(files), squeeze=False)[0], files, strict=True):
        found = pd.read_csv(file)
        rows, seeds = found["labels"].max(), found["seed"].nunique()
        draw(axes, found, f"{file.name.removeprefix('curves_').split('.')[0]}: {rows:,} training rows, {seeds} seeds")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="small", loc="outside lower center", ncols=5)
    figure.savefig(given.output, dpi=80)
    print(given.output)


if __name__ == "__main__":
    main()
