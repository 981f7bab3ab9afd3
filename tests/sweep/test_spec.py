import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from distml.errors import MistakesError
from distml.models.space import Choice, Fixed, Float, Int
from distml.sweep.spec import Budget, Resources, SweepSpec, schema

LEAST: dict[str, Any] = {"name": "credit", "data": {"source": "credit.csv", "target": "default"}}

FULL = """
name: credit-default
seed: 7
task: classification
data:
  source: credit.csv.gz
  target: target
  positive: 1
  drop: [ID]
  kinds: {SEX: categorical}
  group: null
  time: null
split: {test: 0.2, folds: 5, validation: 0.2}
preprocessing: {numeric: [standard, quantile], categorical: one-hot, pca: [null, 8]}
families:
  scoring-network:
    space:
      hidden: [[64, 64], [256, 128]]
      lr: {low: 1.0e-4, high: 1.0e-2, log: true}
      dropout: {low: 0.0, high: 0.5, step: 0.1}
      layers: {low: 1, high: 4}
      epochs: 5
    resources: {gpu: 0.25}
    trials: 160
  random-forest:
  mine: {class: "my_package.module:MyModule"}
metric: roc_auc
report: [gini, ks, brier]
search: {algorithm: tpe, scheduler: asha}
budget: {trials: 200, minutes: 10}
resources: {cpu: 2, gpu: auto}
"""


def mistakes(**changes: Any) -> dict[str, str]:
    """What is said of LEAST with these keys changed: where -> what."""
    with pytest.raises(MistakesError) as raised:
        SweepSpec(**{**LEAST, **changes})
    assert "pydantic" not in str(raised.value) and "http" not in str(raised.value)
    return {mistake.where: mistake.what for mistake in raised.value.mistakes}


def test_name_source_and_target_are_enough() -> None:
    spec = SweepSpec(**LEAST)
    assert list(spec.family_specs) == ["scoring-network", "random-forest", "hist-gradient-boosting"]
    assert (spec.seed, spec.split.folds, spec.budget.minutes, spec.budget.trials) == (0, 5, 10.0, None)
    assert (spec.search.algorithm, spec.search.scheduler) == ("tpe", "asha")
    assert all(isinstance(domain, Fixed) for domain in spec.preprocessing.space(["numeric", "text"]).values())


def test_everything_in_the_contract_is_understood(tmp_path) -> None:
    file = tmp_path / "credit.yaml"
    file.write_text(FULL)
    spec = SweepSpec.from_file(file)
    assert spec.data.source == tmp_path / "credit.csv.gz"
    assert spec.subject == "credit.yaml"
    assert spec.family_specs["scoring-network"].space == {
        "hidden": Choice(((64, 64), (256, 128))),
        "lr": Float(1e-4, 1e-2, log=True),
        "dropout": Float(0.0, 0.5, step=0.1),
        "layers": Int(1, 4),
        "epochs": Fixed(5),
    }
    assert spec.family_specs["mine"].class_ == "my_package.module:MyModule"
    assert spec.preprocessing.space(["numeric"])["preprocessing.numeric"] == Choice(("standard", "quantile"))
    assert spec.preprocessing.space(["numeric"])["preprocessing.categorical"] == Fixed("one-hot")
    assert spec.preprocessing.space(["numeric"])["preprocessing.pca"] == Choice((None, 8))
    assert spec.data_options.positive == 1 and spec.data_options.kinds == {"SEX": "categorical"}


def test_a_family_takes_the_resources_it_does_not_name_from_the_sweep(tmp_path) -> None:
    file = tmp_path / "credit.yaml"
    file.write_text(FULL)
    spec = SweepSpec.from_file(file)
    assert spec.resources_of("scoring-network") == Resources(cpu=2, gpu=0.25)
    assert spec.resources_of("random-forest") == Resources(cpu=2, gpu="auto")


def test_a_notebook_may_use_the_objects_themselves() -> None:
    spec = SweepSpec(
        **LEAST, budget=Budget(trials=5), families={"mine": {"class_": "a.b:C", "space": {"lr": Float(0.1, 1.0)}}}
    )
    assert spec.budget == Budget(trials=5)
    assert spec.family_specs["mine"].space == {"lr": Float(0.1, 1.0)}
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_a_spec_does_not_change() -> None:
    with pytest.raises(ValidationError):
        SweepSpec(**LEAST).seed = 3


def test_all_mistakes_come_at_once() -> None:
    found = mistakes(name="../x", seed=True, budget={"trials": 0}, families=["a", 3], metric=4, nonsense=1)
    assert list(found) == ["name", "seed", "families[1]", "metric", "budget.trials", "nonsense"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "-x", "x\n", "ü", "x" * 65, ".", ".."])
def test_names_that_could_leave_the_runs_folder_or_confuse_a_shell(name: str) -> None:
    assert "is not a name: up to 64 letters" in mistakes(name=name)["name"]


@pytest.mark.parametrize(
    ("changes", "where", "said"),
    [
        ({"sead": 1}, "sead", "unknown key. Did you mean 'seed'? Valid keys: name, seed, task"),
        ({"self": 1}, "self", "unknown key"),
        ({"data": {"source": "a", "target": "b", "kind": {}}}, "data.kind", "Did you mean 'kinds'?"),
        ({"families": {"a": {"clas": "a:B"}}}, "families.a.clas", "Did you mean 'class'? Valid keys: class, space"),
        ({"data": {"source": "a", "target": 4}}, "data.target", '4 is not text; put it in quotes: "4"'),
        ({"data": {"source": "a", "target": "b", "drop": "ID"}}, "data.drop", "'ID' is not a list; write [ID]"),
        ({"data": {"source": "a", "target": "b", "positive": [1]}}, "data.positive", "is not one value"),
        ({"data": {"source": "a", "target": "b", "kinds": {"A": "number"}}}, "data.kinds.A", "not one of: numeric"),
        ({"task": "clasification"}, "task", "Did you mean 'classification'?"),
        ({"split": {"test": 1.0}}, "split.test", "1.0 is not below 1"),
        ({"split": {"folds": 2.5}}, "split.folds", "2.5 is not a whole number"),
        ({"budget": {"trials": "1e3"}}, "budget.trials", "'1e3' is not a whole number; write 1000"),
        ({"preprocessing": {"numeric": "standrd"}}, "preprocessing.numeric", "not one of: standard, quantile, none"),
        ({"preprocessing": {"categorical": ["one-hot", "x"]}}, "preprocessing.categorical[1]", "'x' is not one of"),
        ({"preprocessing": {"pca": [None, 0]}}, "preprocessing.pca[1]", "0 is below 1"),
        ({"preprocessing": {"missing": []}}, "preprocessing.missing", "is empty"),
        ({"families": "random-forest"}, "families", "neither a list nor a mapping"),
        ({"families": []}, "families", "is empty"),
        ({"families": {}}, "families", "is empty"),
        ({"families": ["a", "a"]}, "families", "'a' stands twice"),
        ({"families": {"a/b": {}}}, "families.a/b", "is not a name"),
        ({"families": {"a": {"class": "nope"}}}, "families.a.class", "not an import path like my_package.module"),
        ({"families": {"a": {"trials": 0}}}, "families.a.trials", "0 is below 1"),
        ({"families": {"a": {"space": {"lr": {"low": 0.01, "high": 0.0001}}}}}, "families.a.space.lr", "above high"),
        ({"families": {"a": {"space": {"lr": {"low": 0, "high": 1, "log": True}}}}}, "families.a.space.lr", "above 0"),
        ({"families": {"a": {"space": {"lr": []}}}}, "families.a.space.lr", "empty list"),
        ({"families": {"a": {"space": {"lr": {"low": "1e-4", "high": 1}}}}}, "families.a.space.lr", "1.0e-04"),
        ({"budget": {"trials": 0}}, "budget.trials", "0 is below 1, the least it can be"),
        ({"budget": {"minutes": 0}}, "budget.minutes", "0 is not above 0"),
        ({"budget": {"minutes": "1e1"}}, "budget.minutes", "YAML needs a point and a sign in the exponent: 1.0e+01"),
        ({"budget": {"minutes": "10"}}, "budget.minutes", "write it without quotes"),
        ({"budget": {"minutes": float("inf")}}, "budget.minutes", "inf is not a finite number"),
        ({"budget": {}}, "budget", "give trials, minutes or both"),
        ({"budget": None}, "budget", "null is not a mapping"),
        ({"search": {"algorithm": "tp"}}, "search.algorithm", "not one of: grid, random, tpe, evolution"),
        ({"search": {"scheduler": None}}, "search.scheduler", "null is not one of: asha"),
        ({"search": {"reduction_factor": 1}}, "search.reduction_factor", "1 is below 2"),
        ({"search": {"perturbation_interval": 2}}, "search", "perturbation_interval is of scheduler: pbt; it is asha"),
        ({"resources": {"cpu": 0}}, "resources.cpu", "0 is below 1"),
    ],
)
def test_a_mistake_names_its_key_and_the_fix(changes: dict[str, Any], where: str, said: str) -> None:
    found = mistakes(**changes)
    assert list(found) == [where]
    assert said in found[where]


@pytest.mark.parametrize("gpu", ["auto", "none", 0.25, 1, 1.0, 4, "6GiB", "6.5GiB", "mig:1g.10gb", "mig:any"])
def test_what_gpu_may_say(gpu: Any) -> None:
    assert SweepSpec(**LEAST, resources={"gpu": gpu}).resources.gpu == gpu


@pytest.mark.parametrize("gpu", [0, -1, 1.5, True, None, "6GB", "0GiB", "mig:", "mig:1g", "0.25", [1], "none\n"])
def test_what_gpu_may_not_say(gpu: Any) -> None:
    assert "'6GiB', 'mig:1g.10gb' or 'mig:any'" in mistakes(resources={"gpu": gpu})["resources.gpu"]


def test_the_source_is_relative_to_the_sweep_file(tmp_path) -> None:
    folder = Path(tmp_path) / "deep"
    folder.mkdir()
    (folder / "x.yaml").write_text(yaml.safe_dump(LEAST))
    assert SweepSpec.from_file(folder / "x.yaml").data.source == folder / "credit.csv"


def test_the_schema_knows_a_good_file_from_a_bad_one() -> None:
    jsonschema.validate(yaml.safe_load(FULL), schema())
    jsonschema.validate({**LEAST, "families": ["random-forest"], "preprocessing": {"pca": 3}}, schema())
    for bad in ({"sead": 1}, {"families": ["random-florest"]}, {"preprocessing": {"numeric": "x"}}, {"seed": "7"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**LEAST, **bad}, schema())


def test_the_schema_covers_every_key_with_words_for_each() -> None:
    text = json.dumps(schema())
    assert schema()["additionalProperties"] is False
    assert set(schema()["properties"]) == set(SweepSpec.model_fields)
    for name, part in schema()["$defs"].items():
        undescribed = [key for key, value in part["properties"].items() if "description" not in value]
        assert not undescribed, f"{name}: {undescribed}"
    assert '"class"' in text and '"class_"' not in text
