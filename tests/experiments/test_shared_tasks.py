"""experiments/shared_tasks: several targets and bags train as cohorts, and do what their docstrings say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from distml.data.task import Task
from distml.errors import MistakesError
from distml.models.custom import family_from_class
from distml.models.family import Family
from distml.models.space import Choice, Fixed, Float
from distml.scorer.opening import open_scorer
from distml.sweep.export import export_scorer
from distml.sweep.preflight import preflight
from distml.sweep.spec import SweepSpec
from distml.training.cohort import Assignment, Cohort, Member
from distml.training.solo import SoloCohort
from distml.training.stacked import StackedCohort
from distml.training.suitability import why_not_stackable
from experiments.shared_tasks.bags import Pooled, bagged
from experiments.shared_tasks.heads import Heads
from tests.experiments.tables import EXPERIMENTS
from tests.running.command import distml, rows
from tests.sweep.trained import GERMAN, checked_german, write_trained
from tests.training.networks import FEATURES, assignment

FOLDER = EXPERIMENTS / "shared_tasks"
TAIWAN = EXPERIMENTS / "credit_default" / "credit_default_taiwan.csv.gz"
SETTINGS = {"width": 8, "batch_size": 16, "epochs": 3, "lr": 0.01}


def heads() -> Family:
    space = {"share": Float(0.0, 1.0), "lr": Float(0.001, 0.1), "width": Fixed(8), "epochs": Fixed(3)}
    return family_from_class("experiments.shared_tasks.heads:Heads", space)


def told(task: Task = "classification", further: int = 2, scale: float = 1.0) -> Assignment:
    """Two folds with further targets that follow from the features, some of their cells missing."""
    given = assignment(heads(), folds=2, task=task)
    folds = []
    for fold in given.folds:
        values = np.stack([scale * fold.x_train.sum(1), fold.x_train[:, 0] > 0], axis=1).astype(np.float32)[:, :further]
        values[::7, 0] = np.nan
        folds.append(replace(fold, further_train=values))
    return replace(given, folds=folds, outline=replace(given.outline, further=further))


def trained(kind: type[Cohort], given: Assignment, *shares: float) -> list[np.ndarray]:
    members = [Member(f"t{place}", {**SETTINGS, "share": share}, 5, (3,)) for place, share in enumerate(shares)]
    cohort = kind(given, members[0].params) if kind is StackedCohort else kind(given)  # type: ignore[call-arg]
    cohort.admit(members)
    assert {result.state for result in cohort.advance()} == {"finished"}
    x = given.folds[0].x_valid
    return [cohort.predict(member.trial, x) for member in members]  # type: ignore[attr-defined]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_several_targets_train_as_one_network_and_as_each_would_alone(task: Task) -> None:
    given = told(task)
    assert why_not_stackable(given, {**SETTINGS, "share": 0.5}) is None
    alone, shared = trained(StackedCohort, given, 0.0, 0.7)
    assert not np.allclose(alone, shared, atol=1e-3)
    solo = trained(SoloCohort, given, 0.0, 0.7)
    np.testing.assert_allclose([alone, shared], solo, atol=2e-3)


def test_with_a_share_of_0_the_further_targets_make_no_difference() -> None:
    one, other = (trained(StackedCohort, told(scale=scale), 0.0, 0.5) for scale in (1.0, -1.0))
    np.testing.assert_allclose(one[0], other[0], atol=1e-5)
    assert not np.allclose(one[1], other[1], atol=1e-3)


def test_a_head_learns_its_target() -> None:
    given = told(further=1)
    module = Heads(FEATURES, 2, "classification", 1, share=1.0, lr=0.01)
    x = torch.from_numpy(given.folds[0].x_train)
    y = torch.cat(
        [torch.from_numpy(given.folds[0].y_train)[:, None], torch.from_numpy(given.folds[0].further_train)], 1
    )
    module.observe_targets(y)
    optimiser = module.configure_optimizers()
    for _ in range(200):
        optimiser.zero_grad()
        module.training_step((x, y), 0).backward()
        optimiser.step()
    known = ~y[:, 1].isnan()
    found = (module.layers(x)[:, 1] * module.scale[1] + module.mean[1])[known]
    assert np.corrcoef(found.detach(), y[known, 1])[0, 1] > 0.98
    assert ((module(x) > 0) == y[:, 0].bool()).float().mean() > 0.95
    assert module.mean[0] == 0 and module.scale[0] == 1


def test_a_family_that_takes_none_is_given_none() -> None:
    given = told()
    plain = replace(given, family=family_from_class("tests.running.networks:Plain", {"lr": Float(0.01, 0.1)}))
    assert why_not_stackable(plain, {"lr": 0.01}) is None  # its cross-entropy takes (rows,) of codes
    assert not plain.family.takes_further and given.family.takes_further


def test_further_targets_that_nobody_learns_are_a_mistake() -> None:
    given = ["families=[scoring-network, random-forest]", "search.algorithm=random", "data.drop=[ID, PAY_9]"]
    with pytest.raises(MistakesError) as caught:
        preflight(SweepSpec.from_file(FOLDER / "heads.yaml", given))
    assert {mistake.where for mistake in caught.value.mistakes} == {"data.further_targets", "data.drop"}
    assert any("no family learns them" in mistake.what for mistake in caught.value.mistakes)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention", "gated", "noisy-or"])
def test_a_bag_is_the_same_in_any_order_and_trains_in_a_cohort(pooling: str) -> None:
    torch.manual_seed(0)
    bags = torch.randn(9, 3, 4)
    module = Pooled(12, instances=3, pooling=pooling, width=8).eval()
    turned = module(bags[:, [2, 0, 1]].flatten(1))
    torch.testing.assert_close(module(bags.flatten(1)), turned)
    if pooling in ("attention", "gated"):
        shares = module.shares(module.embedded(bags.flatten(1)))
        torch.testing.assert_close(shares.sum(1), torch.ones(9))
    space = {"pooling": Choice((pooling,)), "instances": Fixed(FEATURES), "width": Fixed(8), "lr": Float(0.01, 0.1)}
    given = assignment(family_from_class("experiments.shared_tasks.bags:Pooled", space))
    assert why_not_stackable(given, {"pooling": pooling, "instances": FEATURES, "width": 8, "lr": 0.01}) is None


def test_noisy_or_is_one_minus_the_product() -> None:
    torch.manual_seed(0)
    module = Pooled(12, instances=3, pooling="noisy-or", width=8).double().eval()
    x = torch.randn(5, 12, dtype=torch.float64)
    each = torch.sigmoid(module.head(module.embedded(x))[..., 0])
    torch.testing.assert_close(torch.sigmoid(module(x)), 1 - (1 - each).prod(1))


def test_bags_hold_real_accounts_none_of_them_twice() -> None:
    accounts = pd.read_csv(TAIWAN, nrows=1000)
    table, guilty = bagged(accounts, bags=100, size=6, most=3)
    assert guilty.any(1).tolist() == (table["any_default"] == 1).tolist()
    assert table["any_default"].mean() == 0.5 and set(guilty.sum(1)) == {0, 1, 2, 3}
    names = [name for name in accounts.columns if name not in ("ID", "target")]
    held = np.concatenate([table[[f"{place}.{name}" for name in names]].to_numpy() for place in range(1, 7)])
    at = pd.MultiIndex.from_frame(accounts[names]).get_indexer_for(pd.MultiIndex.from_arrays(held.T))
    assert (at >= 0).all()
    real = accounts[names].duplicated(keep=False).sum()
    assert pd.DataFrame(held).duplicated(keep=False).sum() <= real
    bad = accounts["target"].to_numpy()[at].reshape(6, 100).T == 1
    assert (bad == guilty).mean() > 0.99  # accounts that equal another may have another target
    with pytest.raises(ValueError, match="need"):
        bagged(accounts, bags=200, size=6, most=3)


def test_a_scorer_asks_for_no_further_target(tmp_path: Path) -> None:
    space = {"share": [0.3, 1.0], "lr": 0.01, "width": 8, "epochs": 6, "batch_size": 64}
    families = {"heads": {"class": "experiments.shared_tasks.heads:Heads", "space": space}}
    further = ["credit_amount", "foreign_worker"]
    checked = checked_german("several", families, further_targets=further)
    trials = [("heads", {**space, "share": share}) for share in (0.3, 1.0)]
    made = export_scorer(write_trained(tmp_path, checked, trials), checked=checked)
    scorer = open_scorer(made.folder, trust=["experiments.shared_tasks.heads"])
    assert {member.further for member in scorer.manifest.members} == {2}
    assert set(further) <= set(scorer.manifest.data.left_out)
    assert made.holdout["roc_auc"] > 0.6
    applicants = pd.read_csv(GERMAN).drop(columns=[*further, "creditability"]).head(20)
    assert scorer.score(applicants)["probability"].astype(float).between(0, 1).all()


@pytest.mark.long
@pytest.mark.parametrize("name", ["heads", "bags"])
def test_a_sweep(tmp_path: Path, name: str) -> None:
    accounts = pd.read_csv(TAIWAN, nrows=2500)
    table = accounts if name == "heads" else bagged(accounts, bags=300, size=6, most=2)[0]
    table.to_csv(tmp_path / "few.csv", index=False)
    settings = {
        "heads": [
            "families.heads.space.lr=0.003", "families.heads.space.dropout=0.0", "families.heads.space.epochs=6",
            "families.heads.space.batch_size=32",
        ],
        "bags": [
            "families.pooled.space.lr=0.003", "families.pooled.space.dropout=0.0",
            "families.pooled.space.batch_size=32",
            "families.scoring-network.space.batch_size=32", "budget.trials=6",
        ],
    }  # fmt: skip
    given = [f"data.source={tmp_path / 'few.csv'}", "split.folds=2", *settings[name]]
    options = [word for setting in given for word in ("--set", setting)]
    said = distml(tmp_path, "sweep", str(FOLDER / f"{name}.yaml"), "--no-export", *options).stdout
    assert "trains as one network" in said
    found = rows(tmp_path, f"shared-{name}")
    assert {row["state"] for row in found} == {"finished"} and len(found) == (4 if name == "heads" else 6)
    assert found[0]["score"] > 0.55
