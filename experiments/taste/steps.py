"""Preprocessing step by step, before and after: python experiments/taste/steps.py [--output FOLDER]"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from distml.data.kinds import apply_kinds, infer_kinds
from distml.data.layout import Layout, layout_of
from distml.data.preprocessing import make_preprocessor
from distml.data.table import read_table
from distml.data.variant import Variant

HERE = Path(__file__).parent
COURSE_ROWS = 5  # the first rows of taste.csv: those whose weights the course gives
LANDMARKS = 8
COLOURS = ["#4477aa", "#ee6677"]


def features(name: str, drop: list[str]) -> tuple[pd.DataFrame, Layout]:
    """A table's columns with their kinds applied, and the layout of what they are prepared to."""
    table = read_table(HERE / name).drop(columns=drop)
    kinds = infer_kinds(table, {})
    frame = apply_kinds(table, kinds)
    return frame, layout_of(frame, kinds)


def prepared(frame: pd.DataFrame, layout: Layout, variant: Variant) -> np.ndarray:
    """(rows, features) by distml's own preprocessing, fitted on all rows."""
    return make_preprocessor(layout, variant, seed=0).fit_transform(frame)


def names(layout: Layout) -> list[str]:
    """What the columns of one-hot tables mean, in their order."""
    categories = [name for column in layout.of("categorical") for name in layout.categories[column]]
    return [*layout.of("numeric"), *layout.of("boolean"), *categories]


def taste_tables() -> dict[str, pd.DataFrame]:
    """The table of tastes after each step; rows are foods."""
    foods = read_table(HERE / "taste.csv")["food"]
    frame, layout = features("taste.csv", ["food", "class"])

    def after(variant: Variant, columns: list[str]) -> pd.DataFrame:
        return pd.DataFrame(prepared(frame, layout, variant), index=foods, columns=columns).round(2)

    plain, distances = names(layout), [f"to landmark {place}" for place in range(1, 4)]
    return {
        "as it is": frame.set_index(foods),
        "everything to numbers: one-hot": after(Variant(numeric="none"), plain),
        "mean 0, variance 1": after(Variant(), plain),
        "fewer dimensions: 2 principal components": after(Variant(pca=2), ["first", "second"]),
        "more dimensions: distances to 3 landmark rows": after(Variant(landmarks=3), [*plain, *distances]),
    }


def ring_accuracy(variant: Variant) -> tuple[float, float]:
    """(mean, sd) over 5 folds of logistic regression's accuracy on the two rings; all is fitted within each fold."""
    frame, layout = features("rings.csv", ["ring"])
    y = (read_table(HERE / "rings.csv")["ring"] == "outer").to_numpy()
    found = []
    for train, valid in StratifiedKFold(5, shuffle=True, random_state=0).split(frame, y):
        model = _model(layout, variant).fit(frame.iloc[train], y[train])
        found.append(float(np.mean(model.predict(frame.iloc[valid]) == y[valid])))
    return float(np.mean(found)), float(np.std(found, ddof=1))


def _model(layout: Layout, variant: Variant) -> Pipeline:
    return Pipeline([("prepare", make_preprocessor(layout, variant, seed=0)), ("decide", LogisticRegression(C=100.0))])


def draw_tastes(path: Path) -> None:
    """Foods by their first two principal components."""
    flat = taste_tables()["fewer dimensions: 2 principal components"]
    fruit = (read_table(HERE / "taste.csv")["class"] == "fruit").to_numpy()
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for side, colour, label in ((fruit, COLOURS[1], "fruit"), (~fruit, COLOURS[0], "vegetable")):
        axes.scatter(flat["first"][side], flat["second"][side], c=colour, label=label)
    for food, (first, second) in zip(flat.index, flat.to_numpy(), strict=True):
        axes.annotate(food, (first, second), xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel="first component", ylabel="second component")
    axes.legend()
    figure.savefig(path, dpi=70)


def draw_rings(path: Path) -> None:
    """Where logistic regression decides for which ring, without and with distances to landmarks."""
    frame, layout = features("rings.csv", ["ring"])
    y = (read_table(HERE / "rings.csv")["ring"] == "outer").to_numpy()
    side = np.linspace(-1.6, 1.6, 160)
    grid = pd.DataFrame(np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2), columns=frame.columns)
    figure = Figure(figsize=(10, 5), layout="constrained")
    variants = {"x and y": Variant(), f"and distances to {LANDMARKS} landmarks": Variant(landmarks=LANDMARKS)}
    for axes, (title, variant) in zip(figure.subplots(1, 2), variants.items(), strict=True):
        decided = _model(layout, variant).fit(frame, y).predict(grid).reshape(160, 160)
        shades = ListedColormap(COLOURS)
        axes.pcolormesh(side, side, decided, cmap=shades, alpha=0.25, vmin=0, vmax=1)
        axes.scatter(frame["x"], frame["y"], c=y, cmap=shades, s=10)
        mean, sd = ring_accuracy(variant)
        axes.set(title=f"{title}: accuracy {mean:.2f} ± {sd:.2f}", aspect="equal", xticks=[], yticks=[])
    figure.savefig(path, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=HERE, help="the folder of the pictures")
    folder = parser.parse_args().output
    mpl.use("Agg")
    for step, table in taste_tables().items():
        print(f"\n{step}: {len(table)} rows x {table.shape[1]} columns\n\n{table.head(COURSE_ROWS).to_string()}")
    for landmarks in (None, 2, 4, LANDMARKS, 16):
        mean, sd = ring_accuracy(Variant(landmarks=landmarks))
        print(
            f"\ntwo rings, {landmarks or 'no'} landmarks: logistic regression's accuracy {mean:.3f} ± {sd:.3f}", end=""
        )
    print()
    draw_tastes(folder / "tastes.png")
    draw_rings(folder / "rings.png")


if __name__ == "__main__":
    main()
