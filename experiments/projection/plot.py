"""The best projection of each family: python experiments/projection/plot.py projection-loans creditability

Rows are fitted all at once and coloured by a column that was left out.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import distml

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep")
    parser.add_argument("column")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    mpl.use("Agg")
    sweep = distml.load(given.sweep, given.runs)
    best = sweep.trials().query("state == 'finished'").drop_duplicates("family")
    held = pd.read_csv(sweep.record.spec["data"]["source"], usecols=[given.column])[given.column]
    values = sorted(held.unique())
    figure = Figure(figsize=(5 * len(best), 5), layout="constrained")
    panels = figure.subplots(1, len(best), squeeze=False)[0]
    for axes, trial in zip(panels, best.itertuples(), strict=True):
        rows = sweep.rows(trial.trial)
        order = np.random.default_rng(0).permutation(len(rows))  # so that no class lies on top of another
        colours = held.map(dict(zip(values, COLOURS, strict=False))).to_numpy()[order]
        axes.scatter(rows["x1"].to_numpy()[order], rows["x2"].to_numpy()[order], c=colours, s=9, linewidths=0)
        axes.set(
            xticks=[], yticks=[], title=f"{trial.family}: trustworthiness {trial.score:.3f} ± {trial.score_sd:.3f}"
        )
    for value, colour in zip(values, COLOURS, strict=False):
        panels[0].scatter([], [], c=colour, s=20, label=f"{given.column} {value}")
    panels[0].legend(fontsize="small")
    output = given.output or Path(__file__).with_name(f"{given.sweep.removeprefix('projection-')}.png")
    figure.savefig(output, dpi=70)
    print(output)


if __name__ == "__main__":
    main()
