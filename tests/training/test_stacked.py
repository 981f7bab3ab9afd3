"""The cohort against what it replaces: the same members, each trained alone by Lightning's Trainer."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from distml.models.metrics import Evaluator
from distml.models.network import ScoringNetwork
from distml.training.cohort import Ancestor, Member, RungResult
from distml.training.solo import SoloCohort
from distml.training.stacked import StackedCohort
from tests.training.networks import PLAIN_SPACE, Plain, assignment, family_of, member

RECIPES: list[dict[str, Any]] = [
    {"optimiser": rule, "schedule": schedule, "warmup": warmup}
    for rule in ("adamw", "adam", "sgd")
    for schedule, warmup in (("constant", 0.0), ("cosine", 0.2), ("linear", 0.0))
]
RECIPES += [
    {"normalisation": "layer", "activation": "gelu"},
    {"activation": "silu", "gradient_clip_val": 0.05},
    {"activation": "tanh", "class_weight": "balanced", "label_smoothing": 0.1},
    {"hidden": ()},
]


def _scores(results: list[RungResult]) -> dict[str, float]:
    assert {result.state for result in results} == {"finished"}, results
    return {result.trial: result.scores["log_loss"] for result in results}


def _train(cohort: Any, members: list[Member]) -> list[RungResult]:
    cohort.admit(members)
    results: list[RungResult] = []
    for _ in range(max(len(one.rungs) for one in members)):
        results = cohort.advance() or results
    return results


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: "-".join(map(str, recipe.values())))
def test_every_member_equals_its_solo_run(recipe: dict[str, Any]) -> None:
    members = [
        member("t0", 1, (2, 5), **recipe),
        member("t1", 2, (5,), weight_decay=0.01, **{"lr": 0.03, **recipe}),
    ]
    exact = assignment(folds=2, dtype=np.float64)
    stacked, solo = StackedCohort(exact, members[0].params, torch.float64), SoloCohort(exact, torch.float64)
    expected = _scores(_train(solo, members[:1])) | _scores(_train(SoloCohort(exact, torch.float64), members[1:]))
    stacked.admit(members[1:])
    found = _scores(stacked.advance())  # five epochs in one go
    stacked.admit(members[:1])  # of another age
    stacked.advance()
    found |= _scores(stacked.advance())
    assert found == pytest.approx(expected, rel=1e-9)
    x = exact.folds[0].x_valid
    np.testing.assert_allclose(stacked.predict("t0", x), solo.predict("t0", x), rtol=1e-9)


def test_category_codes_are_embedded_as_in_solo_runs() -> None:
    exact = assignment(folds=2, dtype=np.float64, cardinalities=(3, 8))
    members = [member("t0", 1, (2, 5)), member("t1", 2, (2, 5), lr=0.05)]
    expected = _scores(_train(SoloCohort(exact, torch.float64), members))
    found = _scores(_train(StackedCohort(exact, members[0].params, torch.float64), members))
    assert found == pytest.approx(expected, rel=1e-9)


def test_single_precision_is_as_near_as_it_can_be() -> None:
    members = [member(f"t{i}", i, lr=10**-i) for i in (1, 2, 3)]
    expected = _scores(_train(SoloCohort(assignment()), members))
    assert _scores(_train(StackedCohort(assignment(), members[0].params), members)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("task", "classes"), [("regression", 0), ("classification", 3)])
def test_other_tasks_equal_their_solo_run(task: Any, classes: int) -> None:
    exact = assignment(task=task, classes=classes, dtype=np.float64)
    members = [member("t0", lr=0.02), member("t1", 5, label_smoothing=0.2)]
    x = exact.folds[0].x_valid
    stacked, solo = StackedCohort(exact, members[0].params, torch.float64), SoloCohort(exact, torch.float64)
    _train(stacked, members)
    _train(solo, members)
    for one in members:
        np.testing.assert_allclose(stacked.predict(one.trial, x), solo.predict(one.trial, x), rtol=1e-9)


def test_a_users_own_module_equals_its_solo_run() -> None:
    family = family_of(Plain)
    exact = assignment(family, folds=2, dtype=np.float64)
    params = {"lr": 0.01, "dropout": 0.0, "noise": 0.0, "batch_size": 16}
    members = [Member("t0", params, 1, (2, 5)), Member("t1", {**params, "lr": 0.05}, 2, (2, 5))]
    stacked = StackedCohort(exact, params, torch.float64)
    expected = _scores(_train(SoloCohort(exact, torch.float64), members))
    assert _scores(_train(stacked, members)) == pytest.approx(expected, rel=1e-9)
    assert "torch.func" in stacked.notes[0]


def test_floats_of_a_users_module_are_each_members_own() -> None:
    made = assignment(family_of(Plain))
    params = {"lr": 0.01, "dropout": 0.0, "noise": 0.0, "batch_size": 16}
    variants = [{}, {"dropout": 0.4}, {"noise": 0.2}]
    members = [Member(f"t{i}", params | variant, 1, (3,)) for i, variant in enumerate(variants)]
    cohort = StackedCohort(made, members[2].params)
    together = _scores(_train(cohort, members))
    assert len({round(score, 9) for score in together.values()}) == 3
    for one in members:
        alone = _scores(_train(StackedCohort(made, one.params), [one]))
        assert alone[one.trial] == pytest.approx(together[one.trial], rel=1e-5)


@pytest.mark.parametrize("family", ["own", "user"])
def test_dropout_gives_the_same_distribution_of_scores(family: str) -> None:
    made = assignment() if family == "own" else assignment(family_of(Plain))
    user = {"lr": 0.02, "dropout": 0.4, "batch_size": 16}
    params = member("t", dropout=0.4, lr=0.02).params if family == "own" else user
    members = [Member(f"t{seed}", params, seed, (3,)) for seed in range(64)]
    stacked = _scores(_train(StackedCohort(made, params), members))
    solo = _scores(_train(SoloCohort(made), members))
    assert ks_2samp(list(stacked.values()), list(solo.values())).pvalue > 0.01


def test_a_diverging_member_changes_nobody_by_a_single_bit() -> None:
    made = assignment(folds=2)
    x = made.folds[0].x_valid
    kept = [member("t0", 1, dropout=0.2, optimiser="sgd"), member("t2", 3, lr=0.003, optimiser="sgd")]

    def predictions_beside(other: Member) -> tuple[list[np.ndarray], RungResult]:
        cohort = StackedCohort(made, other.params)
        cohort.admit([kept[0], other, kept[1]])
        results = {result.trial: result for result in cohort.advance()}
        return [cohort.predict(one.trial, x) for one in kept], results["t1"]

    quiet, well = predictions_beside(member("t1", 2, optimiser="sgd"))
    loud, ill = predictions_beside(member("t1", 2, optimiser="sgd", lr=1e30))
    assert (well.state, ill.state) == ("finished", "diverged")
    assert ill.scores == {} and ill.failure is None
    for one, other in zip(quiet, loud, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_diverged_member_is_told_once_and_stays() -> None:
    cohort = StackedCohort(assignment(), member("t0").params)
    cohort.admit([member("t0", 1, (1, 2), optimiser="sgd", lr=1e30), member("t1", 2, (1, 2), optimiser="sgd")])
    assert [result.state for result in cohort.advance()] == ["diverged", "running"]
    assert [result.trial for result in cohort.advance()] == ["t1"]
    assert cohort.advance() == []


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_trajectory_depends_on_who_else_is_there(data: st.DataObject) -> None:
    """Members come and go at every rung; each that stays ends where it ends alone."""
    made = assignment(dtype=np.float64)
    rates = st.sampled_from([0.001, 0.01, 0.05])
    block = data.draw(st.integers(1, 4), label="block")
    cohort = StackedCohort(made, member("t").params, torch.float64, block)
    ended: dict[str, tuple[Member, np.ndarray]] = {}
    present: dict[str, Member] = {}
    for number in range(4):
        for i in range(data.draw(st.integers(0, 3), label="new")):
            rungs = data.draw(st.sampled_from([(1, 2, 4), (2,), (1, 3)]), label="rungs")
            lr, dropout = data.draw(rates), data.draw(st.sampled_from([0.0, 0.3]))
            one = member(f"t{number}-{i}", 10 * number + i, rungs, lr=lr, dropout=dropout)
            present[one.trial] = one
            cohort.admit([one])
        for result in cohort.advance():
            if result.state == "finished":
                ended[result.trial] = (present[result.trial], cohort.predict(result.trial, made.folds[0].x_valid))
        cut = data.draw(st.sets(st.sampled_from(sorted(present))) if present else st.just(set()), label="cut")
        cohort.release(cut)
        for trial in cut:
            del present[trial]
    for one, found in list(ended.values())[:3]:
        alone = StackedCohort(made, one.params, torch.float64)
        _train(alone, [one])
        np.testing.assert_allclose(alone.predict(one.trial, made.folds[0].x_valid), found, rtol=1e-9)


@pytest.mark.parametrize("own", [True, False], ids=["scoring-network", "user"])
def test_a_restored_cohort_goes_on_bit_for_bit(tmp_path: Path, own: bool) -> None:
    made = assignment(folds=2) if own else assignment(family_of(Plain))
    params = member("t", dropout=0.3, schedule="cosine").params if own else {"lr": 0.02, "dropout": 0.4, "noise": 0.1}
    old, young = Member("t0", params, 1, (1, 2, 5)), Member("t1", params, 2, (2, 5))
    cohort = StackedCohort(made, params)
    cohort.admit([old])
    cohort.advance()
    cohort.admit([young])
    cohort.advance()
    assert cohort.save(tmp_path / "cohort.pt")
    undisturbed = [(result.trial, result.scores, result.state) for result in cohort.advance()]
    again = StackedCohort(made, params)
    assert again.restore(tmp_path / "cohort.pt") == ["t0", "t1"]
    assert [(result.trial, result.scores, result.state) for result in again.advance()] == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.pt"]


def test_an_exported_member_opens_in_lightning(tmp_path: Path) -> None:
    made = assignment(folds=2)
    one = member("t0", 1, dropout=0.2, normalisation="layer")
    cohort = StackedCohort(made, one.params)
    _train(cohort, [one])
    x = made.folds[0].x_valid
    for fold in (0, 1):
        cohort.export("t0", fold, tmp_path / "member.ckpt")
        network = ScoringNetwork.load_from_checkpoint(tmp_path / "member.ckpt").eval()
        with torch.no_grad():
            found = network.predict(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, cohort.predict("t0", x)[fold], rtol=1e-6)


def test_an_exported_user_module_opens_in_lightning(tmp_path: Path) -> None:
    made = assignment(family_of(Plain, {**PLAIN_SPACE}))
    params = {"lr": 0.02, "dropout": 0.4, "noise": 0.0}
    cohort = StackedCohort(made, params)
    _train(cohort, [Member("t0", params, 1, (2,))])
    cohort.export("t0", 0, tmp_path / "member.ckpt")
    network = Plain.load_from_checkpoint(tmp_path / "member.ckpt").eval()
    x = made.folds[0].x_valid
    found = torch.sigmoid(network(torch.from_numpy(x))).detach().numpy()
    np.testing.assert_allclose(found, cohort.predict("t0", x)[0, :, 1], rtol=1e-5)


def test_a_batch_larger_than_the_table_is_the_whole_table() -> None:
    one = member("t0", batch_size=1000)
    expected = _scores(_train(SoloCohort(assignment()), [one]))
    assert _scores(_train(StackedCohort(assignment(), one.params), [one])) == pytest.approx(expected, rel=1e-4)


def test_a_fold_without_positives_is_left_out_of_the_mean() -> None:
    made = assignment(folds=2)
    made.folds[1].y_train[:] = 0
    made.folds[1].y_valid[:] = 0
    made = replace(made, evaluator=Evaluator("roc_auc", [], "classification", 2))
    one = member("t0", class_weight="balanced")
    [result] = _train(StackedCohort(made, one.params), [one])
    assert result.state == "finished"
    assert math.isnan(result.folds[1]) and result.scores["roc_auc"] == result.folds[0]
    made.folds[0].y_valid[:] = 0
    [result] = _train(StackedCohort(made, one.params), [one])
    assert result.state == "failed" and result.failure is not None and result.failure.kind == "data"


def test_a_member_that_cannot_be_made_fails_alone() -> None:
    cohort = StackedCohort(assignment(), member("t0").params)
    cohort.admit([member("t0"), member("t1", activation="rleu"), member("t2", hidden=(9, 4))])
    results = {result.trial: result for result in cohort.advance()}
    assert [results[trial].state for trial in ("t0", "t1", "t2")] == ["finished", "failed", "failed"]
    assert results["t1"].failure is not None and "rleu" in results["t1"].failure.error
    assert results["t2"].failure is not None and "structure" in results["t2"].failure.error


def test_running_out_of_memory_halves_the_block_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import distml.training.stacked as stacked

    made, members = assignment(), [member(f"t{i}", i) for i in range(5)]
    expected = _scores(_train(StackedCohort(made, members[0].params), members))
    train_block = stacked.train_block

    def with_room_for_two(learner: Any, table: Any, lanes: Any, state: Any, *rest: Any) -> None:
        train_block(learner, table, lanes, state, *rest)
        if len(lanes) > 2:
            raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(stacked, "train_block", with_room_for_two)
    cohort = StackedCohort(made, members[0].params)
    assert _scores(_train(cohort, members)) == pytest.approx(expected, rel=1e-6)
    assert cohort.block in (1, 2)
    assert "out of memory with 5 networks at a time" in cohort.notes[1]


def test_a_fault_in_training_is_narrowed_down_to_its_member(monkeypatch: pytest.MonkeyPatch) -> None:
    import distml.training.stacked as stacked

    train_block = stacked.train_block

    def with_one_culprit(learner: Any, table: Any, lanes: Any, *rest: Any) -> None:
        if any(lane.trial == "t1" for lane in lanes):
            raise RuntimeError("this member's own fault")
        train_block(learner, table, lanes, *rest)

    monkeypatch.setattr(stacked, "train_block", with_one_culprit)
    members = [member(f"t{i}", i) for i in range(4)]
    results = _train(StackedCohort(assignment(), members[0].params), members)
    assert [result.state for result in results] == ["finished", "failed", "finished", "finished"]
    assert results[1].failure is not None and results[1].failure.kind == "code"


def test_release_frees_the_memory_of_who_goes() -> None:
    cohort = StackedCohort(assignment(folds=2), member("t0").params)
    cohort.admit([member(f"t{i}", i, (1, 5)) for i in range(4)])
    cohort.advance()
    cohort.release(["t1", "t3"])
    assert {held.shape[0] for held in cohort._store.values()} == {4}
    assert [result.trial for result in cohort.advance()] == ["t0", "t2"]
    cohort.release(["t0", "t2"])
    assert cohort.advance() == []


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_an_heir_goes_on_from_its_parent_and_changes_nobody(optimiser: str) -> None:
    exact = assignment(folds=2, dtype=np.float64)
    parent, other = (member(f"t{i}", i, (2, 4, 6), optimiser=optimiser) for i in (1, 2))
    twin = replace(parent, trial="t3", ancestors=(Ancestor("t1", parent.params, parent.seed, 2),))
    undisturbed, bred = (StackedCohort(exact, parent.params, torch.float64) for _ in range(2))
    _train(undisturbed, [parent, other])
    bred.admit([parent, other])
    bred.advance()
    bred.admit([twin])
    assert [result.resource for result in bred.advance()] == [4, 4, 4]
    found = {result.trial: result.scores for result in bred.advance()}
    assert found["t3"] == found["t1"]  # the same in all, down to the order of its batches
    x = exact.folds[0].x_valid
    for trial in ("t1", "t2"):
        np.testing.assert_array_equal(bred.predict(trial, x), undisturbed.predict(trial, x))


@pytest.mark.parametrize("own", [True, False])
def test_an_heir_whose_line_is_trained_again_comes_to_the_same(own: bool, tmp_path: Path) -> None:
    exact = assignment(folds=2, dtype=np.float64) if own else assignment(family_of(Plain), folds=2, dtype=np.float64)

    def make(trial: str, seed: int, lr: float, *line: Ancestor) -> Member:
        params = {"hidden": (8, 4), "batch_size": 16, "dropout": 0.1} if own else {"dropout": 0.1}
        return Member(trial, {**params, "lr": lr}, seed, (2, 4, 6), line)

    root, other = make("t1", 1, 0.01), make("t2", 2, 0.02)
    child = make("t3", 3, 0.03, Ancestor("t1", root.params, 1, 2))
    heir = make("t4", 4, 0.003, *child.ancestors, Ancestor("t3", child.params, 3, 4))
    bred = StackedCohort(exact, root.params, torch.float64)
    bred.admit([root, other])
    bred.advance()
    bred.admit([child])
    bred.release(["t1"])
    bred.advance()
    bred.admit([heir])
    bred.save(tmp_path / "bred")
    expected = {result.trial: result for result in bred.advance()}
    alone, later, again = (StackedCohort(exact, root.params, torch.float64) for _ in range(3))
    alone.admit([heir])
    later.restore(tmp_path / "bred")
    again.admit([other, heir])  # a population that begins again: the others catch up with the heir
    for cohort in (alone, later, again):
        found = {result.trial: result for result in cohort.advance()}
        assert {(result.state, result.resource) for result in found.values()} == {("finished", 6)}
        assert found["t4"].scores == pytest.approx(expected["t4"].scores, rel=1e-9)
    assert found["t2"].scores == pytest.approx(expected["t2"].scores, rel=1e-9)
    fresh = StackedCohort(exact, root.params, torch.float64)
    without = _train(fresh, [replace(heir, ancestors=())])[-1]
    assert without.scores != pytest.approx(expected["t4"].scores, rel=1e-4)  # what it took over does show
