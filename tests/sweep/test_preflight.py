import gzip
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from distml.errors import MistakesError
from distml.models.space import Choice, Fixed, Float
from distml.sweep.differences import resolved
from distml.sweep.preflight import Checked, preflight
from distml.sweep.reading import read_sweep
from distml.sweep.spec import SweepSpec

GERMAN = Path(__file__).parents[2] / "experiments/credit_german/credit_german.csv.gz"


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """200 rows: two numbers, a category, a class of two and a value to learn."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200), "c": rng.choice(["x", "y"], 200)})
    frame["bad"] = (frame["a"] + rng.normal(size=200) > 0).astype(int)
    frame["loss"] = frame["a"] * 2.5 + rng.normal(size=200)
    path = tmp_path_factory.mktemp("data") / "small.csv"
    frame.to_csv(path, index=False)
    return path


def spec(table: Path, target: str = "bad", **changes: Any) -> SweepSpec:
    families = {"families": ["random-forest"]}
    return SweepSpec(name="small", data={"source": table, "target": target}, **{**families, **changes})


def mistakes(checked: SweepSpec, runs: Path | None = None) -> dict[str, str]:
    with pytest.raises(MistakesError) as raised:
        preflight(checked, runs)
    return {mistake.where: mistake.what for mistake in raised.value.mistakes}


def test_what_was_left_out_is_filled_in(table, tmp_path) -> None:
    checked: Checked = preflight(spec(table, preprocessing={"numeric": ["standard", "none"]}), tmp_path / "runs")
    assert (checked.spec.task, checked.spec.metric, checked.metric.greater_is_better) == (
        "classification",
        "roc_auc",
        True,
    )
    family, space = checked.families["random-forest"]
    assert family.name == "random-forest"
    assert space["preprocessing.numeric"] == Choice(("standard", "none"))
    assert set(family.space) < set(space)
    written = checked.resolved["families"]["random-forest"]["space"]
    assert set(written) == set(family.space)
    assert resolved(preflight(SweepSpec.from_mapping(checked.resolved)).spec) == checked.resolved
    assert not (tmp_path / "runs").exists()


def test_the_users_space_goes_over_the_familys_own(table) -> None:
    families = {"random-forest": {"space": {"max_depth": 3, "max_features": {"low": 0.5, "high": 1.0}}}}
    space = preflight(spec(table, families=families)).families["random-forest"][1]
    assert space["max_depth"] == Fixed(3)
    assert space["max_features"] == Float(0.5, 1.0)
    assert "min_samples_leaf" in space


def test_a_regression_has_its_own_metric_and_spaces(table) -> None:
    checked = preflight(spec(table, "loss"))
    assert (checked.spec.task, checked.metric.name, checked.metric.greater_is_better) == ("regression", "rmse", False)
    assert "class_weight" not in checked.families["random-forest"][1]


def test_mistakes_of_data_families_metrics_and_disk_come_together(table) -> None:
    found = mistakes(
        spec(
            table, "badd", families=["random-forest", "random-florest"], metric="roc_ac", report=["gini", "brierr"],
            budget={"trials": 5},
        ),
        Path("/proc/nowhere"),
    )  # fmt: skip
    assert set(found) == {"data.target", "families[1]", "metric", "report[1]", "--runs"}
    assert "'badd' is not a column. Did you mean 'bad'?" in found["data.target"]
    assert "Did you mean 'random-forest'?" in found["families[1]"]
    assert "Did you mean 'roc_auc'?" in found["metric"]
    assert "Did you mean 'brier'?" in found["report[1]"]


def test_a_table_that_is_missing_hides_no_other_mistake(tmp_path) -> None:
    families = {"random-forest": {"space": {"max_dept": 3, "n_estimators": -1}}}
    found = mistakes(spec(tmp_path / "none.csv", families=families, metric="rmse", report=["nonsense"]))
    space = "families.random-forest.space"
    assert set(found) == {"data.source", "report[0]", f"{space}.max_dept", f"{space}.n_estimators"}
    assert "Did you mean 'max_depth'?" in found[f"{space}.max_dept"]


def test_a_metric_of_the_other_task(table) -> None:
    assert "no metric 'rmse' for classification" in mistakes(spec(table, metric="rmse"))["metric"]


def test_a_metric_that_three_classes_do_not_have(table, tmp_path) -> None:
    frame = pd.read_csv(table)
    frame["bad"] = np.resize(["low", "middle", "high"], len(frame))
    frame.to_csv(tmp_path / "three.csv", index=False)
    assert "f1" in mistakes(spec(tmp_path / "three.csv", metric="f1"))["metric"]


def test_a_family_that_does_not_do_the_task(table) -> None:
    found = mistakes(spec(table, "loss", families=["random-forest", "naive-bayes"]))
    assert found == {"families[1]": "naive-bayes does classification, not regression"}


def test_a_grid_needs_domains_with_an_end(table) -> None:
    space = {"max_features": [0.5, 1.0], "min_samples_leaf": [1, 5], "max_depth": {"low": 2, "high": 8, "step": 2}}
    families = {"random-forest": {"space": space}}
    preflight(spec(table, families=families, search={"algorithm": "grid"}))
    families["random-forest"]["space"]["max_features"] = {"low": 0.1, "high": 1.0}
    found = mistakes(spec(table, families=families, search={"algorithm": "grid"}))
    assert list(found) == ["families.random-forest.space"]
    assert found["families.random-forest.space"].endswith("not so: max_features")


def test_a_batch_larger_than_a_folds_rows(table) -> None:
    families = {"scoring-network": {"space": {"batch_size": [64, 256]}}}
    found = mistakes(spec(table, families=families))
    assert found == {"families.scoring-network.space.batch_size": "a batch of 256 rows, but a fold trains on 128"}


def test_components_that_no_columns_are_there_for(table) -> None:
    found = mistakes(spec(table, preprocessing={"pca": [2, 4], "categorical": ["one-hot", "ordinal"]}, report=["nope"]))
    assert set(found) == {"preprocessing.pca", "report[0]"}
    preflight(spec(table, preprocessing={"pca": [None, 2, 4], "landmarks": 8}))
    with pytest.raises(MistakesError) as raised:
        preflight(spec(table, preprocessing={"pca": [2, 4, 9], "categorical": ["one-hot", "ordinal"]}))
    assert [mistake.what for mistake in raised.value.mistakes] == [
        f"pca {size} is above {width}, the number of prepared columns it starts from"
        for size, width in [(4, 3), (9, 5), (9, 3)]
    ]


def test_landmarks_where_all_columns_are_codes(table, tmp_path) -> None:
    pd.read_csv(table)[["c", "bad"]].to_csv(tmp_path / "codes.csv", index=False)
    found = mistakes(spec(tmp_path / "codes.csv", preprocessing={"landmarks": 5, "categorical": "ordinal"}))
    assert found == {"preprocessing.landmarks": "landmarks needs columns that are not codes; use categorical: one-hot"}


def test_more_components_than_a_fold_has_rows(tmp_path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 30)), columns=[f"x{column}" for column in range(30)])
    frame["bad"] = np.arange(40) % 2
    frame.to_csv(tmp_path / "wide.csv", index=False)
    found = mistakes(spec(tmp_path / "wide.csv", preprocessing={"pca": [8, 20]}, split={"folds": 2}))
    assert found == {"preprocessing.pca": "pca 20 is above 16, the number of rows a fold trains on"}


def test_families_that_ask_for_more_trials_than_there_are(table) -> None:
    families = {"random-forest": {"trials": 30}, "extra-trees": {"trials": 30}}
    found = mistakes(spec(table, families=families, budget={"trials": 50}))
    assert found == {"families": "ask for 60 trials together; budget.trials is 50"}


def test_a_family_left_without_trials_is_warned_of(table) -> None:
    checked = preflight(spec(table, families=["random-forest", "extra-trees"], budget={"trials": 1}))
    assert "the budget of 1 trials leaves none for extra-trees" in checked.warnings


@pytest.mark.parametrize("there", ["file", "file/below"])
def test_a_runs_folder_where_a_file_stands(table, tmp_path, there: str) -> None:
    (tmp_path / "file").touch()
    assert "cannot write to" in mistakes(spec(table), tmp_path / there)["--runs"]


def test_a_full_disk_is_known_before_the_start(table, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 5 * 2**20}))
    assert "5 MiB free" in mistakes(spec(table), tmp_path)["--runs"]


@pytest.fixture
def modules(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_users_own_estimator(table, modules) -> None:
    (modules / "my_estimators.py").write_text(
        textwrap.dedent("""
            from sklearn.tree import DecisionTreeClassifier

            class Stump(DecisionTreeClassifier):
                pass
        """)
    )
    own = {"class": "my_estimators:Stump", "space": {"max_depth": [1, 2]}}
    checked = preflight(spec(table, families={"stump": own}))
    assert checked.families["stump"][1]["max_depth"] == Choice((1, 2))
    found = mistakes(spec(table, families={"random-forest": own, "other": {**own, "class": "my_estimators:Stmp"}}))
    assert "give yours another name" in found["families.random-forest"]
    assert "Did you mean 'Stump'?" in found["families.other.class"]
    sys.modules.pop("my_estimators")


def test_a_users_module_that_raises_at_import_is_one_mistake_among_others(table, modules) -> None:
    (modules / "my_broken.py").write_text("raise RuntimeError('no licence')")
    found = mistakes(spec(table, families={"own": {"class": "my_broken:Model"}}, metric="nonsense"))
    assert "RuntimeError: no licence" in found["families.own.class"]
    assert set(found) == {"families.own.class", "metric"}


def test_a_value_that_a_users_module_refuses(table, modules) -> None:
    (modules / "my_network.py").write_text(
        textwrap.dedent("""
            import pytorch_lightning as pl
            from torch import nn

            class Network(pl.LightningModule):
                def __init__(self, features: int, width: int = 4):
                    super().__init__()
                    if width > 8:
                        raise RuntimeError("too wide")
                    self.layer = nn.Linear(features, width)
        """)
    )
    own = {"class": "my_network:Network", "space": {"width": [4, 16], "epochs": 2, "batch_size": 16}}
    found = mistakes(spec(table, families={"own": own, "other": own}))
    told = "my_network:Network cannot be made with width 16: RuntimeError: too wide"
    assert found == {"families.own.class": told, "families.other.class": told}
    sys.modules.pop("my_network")


def test_the_screen_of_mistakes(tmp_path) -> None:
    (tmp_path / "credit.csv.gz").write_bytes(gzip.compress(gzip.decompress(GERMAN.read_bytes())))
    (tmp_path / "credit.yaml").write_text(
        textwrap.dedent("""
            name: credit
            data: {source: credit.csv.gz, target: creditabilty, positive: bad}
            families:
              scoring-network: {space: {lr: {low: 0.01, high: 0.0001}}}
              random-florest:
            budget: {trials: 0}
        """)
    )
    with pytest.raises(MistakesError) as raised:
        preflight(read_sweep(tmp_path / "credit.yaml"))
    lines = str(raised.value).splitlines()
    assert lines[0] == "credit.yaml has 4 mistakes:"
    assert [line.split()[0] for line in lines[1:]] == [
        "data.target", "families.scoring-network.space.lr", "families.random-florest", "budget.trials",
    ]  # fmt: skip
    assert "Did you mean 'creditability'?" in lines[1]
    assert lines[2].endswith("low 0.01 is above high 0.0001")


@pytest.mark.parametrize(
    ("text", "wheres"),
    [
        ("name: x", ["data"]),
        ("name: ../x\ndata: 3", ["name", "data"]),
        ("name: x\ndata: {target: a}", ["data.source"]),
        ("name: x\ntask: regresion\ndata: {source: small.csv, target: bad}\nmetric: nonsense", ["task"]),
        ("name: x\ndata: {source: small.csv, target: bad, kinds: {a.b: number}}\nseed: -1", ["seed", "data.kinds.a.b"]),
        ("name: x\ndata: {source: small.csv, target: bad}\nfamilies: [random-forest, 3, nope]", ["families[1]"]),
        (
            "name: x\ndata: {source: small.csv, target: no}\npreprocessing: {numeric: [standrd]}",
            ["data.target", "preprocessing.numeric[0]"],
        ),
    ],
)
def test_a_file_with_little_left_to_check(table, text: str, wheres: list[str]) -> None:
    file = table.parent / "x.yaml"
    file.write_text(text)
    with pytest.raises(MistakesError) as raised:
        read_sweep(file)
    found = [mistake.where for mistake in raised.value.mistakes]
    assert found[: len(wheres)] == wheres


def test_a_good_file_is_read_without_looking_at_the_table(tmp_path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"name": "x", "data": {"source": "none.csv", "target": "a"}}))
    assert read_sweep(tmp_path / "x.yaml", ["seed=3"]).seed == 3


def without_target(table: Path, **changes: Any) -> SweepSpec:
    return SweepSpec(name="small", **{"task": "clustering", **changes}, data={"source": table, "drop": ["bad"]})


@pytest.mark.parametrize(
    ("task", "metric", "families"),
    [
        ("clustering", "silhouette", ["k-means", "gaussian-mixture", "hierarchical"]),
        ("projection", "trustworthiness", ["pca", "t-sne"]),
    ],
)
def test_without_a_target_families_and_metric_are_the_tasks_own(table, task, metric, families) -> None:
    checked = preflight(without_target(table, task=task))
    assert (checked.metric.name, list(checked.families)) == (metric, families)
    assert resolved(preflight(SweepSpec.from_mapping(checked.resolved)).spec) == checked.resolved


def test_without_a_target_scores_need_one_preparation_with_distances(table) -> None:
    asked = {"numeric": ["standard", "none"], "categorical": "ordinal"}
    found = mistakes(without_target(table, preprocessing=asked, metric="rmse", families=["pca", "k-means"]))
    assert "compare within one preparation" in found["preprocessing.numeric"]
    assert "no distances" in found["preprocessing.categorical"]
    assert found["families[0]"] == "pca does projection, not clustering"
    assert "no metric 'rmse' for clustering" in found["metric"]


def test_with_a_target_no_families_are_taken_that_have_none(table) -> None:
    assert mistakes(spec(table, families=["k-means"]))["families[0]"] == "k-means does clustering, not classification"
    assert "task: clustering or projection" in mistakes(without_target(table, task=None))["data.target"]


def test_what_keeps_a_sweep_from_being_a_population(table) -> None:
    space = {"batch_size": [16, 32], "epochs": {"low": 2, "high": 9}}
    found = mistakes(
        spec(
            table,
            families={"scoring-network": {"space": space}, "decision-tree": {}},
            preprocessing={"numeric": ["standard", "quantile"]},
            search={"scheduler": "pbt"},
        )
    )
    where = "families.scoring-network.space"
    assert set(found) == {
        "preprocessing.numeric", f"{where}.hidden", f"{where}.batch_size", f"{where}.epochs", "families.decision-tree",
    }  # fmt: skip
    assert found[f"{where}.hidden"].endswith("with pbt give one value: [[128, 64]]")
    assert found[f"{where}.epochs"].endswith("give one value: 6")
    assert "asha for all families" in found["families.decision-tree"]


def test_a_population_needs_networks_that_train_as_one(table) -> None:
    space = {"hidden": [[8]], "batch_size": 16, "epochs": 4, "normalisation": ["batch"]}
    asked = {"families": {"scoring-network": {"space": space}}, "search": {"scheduler": "pbt"}}
    found = mistakes(spec(table, **asked))
    assert "running statistics" in found["families.scoring-network"]
    space["normalisation"] = ["layer"]
    preflight(spec(table, **asked))
