from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distml.models.network import ScoringNetwork
from distml.training.cohort import Ancestor, Member
from distml.training.solo import SoloCohort
from tests.training.networks import Plain, assignment, family_of, member


def test_rungs_end_where_one_go_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    made = assignment()
    recipe = {"normalisation": "batch", "dropout": 0.3, "schedule": "cosine"}
    step_by_step, at_once = SoloCohort(made), SoloCohort(made)
    step_by_step.admit([member("t0", 1, (1, 2, 4), **recipe)])
    at_once.admit([member("t0", 1, (4,), **recipe)])
    states = [step_by_step.advance()[0] for _ in range(3)]
    assert [(one.resource, one.state) for one in states] == [(1, "running"), (2, "running"), (4, "finished")]
    assert at_once.advance()[0].scores == states[-1].scores
    assert step_by_step.advance() == []
    assert list(tmp_path.iterdir()) == []  # Lightning leaves nothing behind
    assert "".join(capsys.readouterr()) == ""


def test_a_restored_cohort_goes_on_bit_for_bit(tmp_path: Path) -> None:
    made = assignment(folds=2)
    cohort = SoloCohort(made)
    cohort.admit([member("t0", 1, (1, 3), dropout=0.3), member("t1", 2, (1,))])
    cohort.advance()
    assert cohort.save(tmp_path / "cohort.pt")
    [undisturbed] = cohort.advance()
    again = SoloCohort(made)
    assert again.restore(tmp_path / "cohort.pt") == ["t0", "t1"]
    x = made.folds[0].x_valid
    np.testing.assert_array_equal(again.predict("t1", x), cohort.predict("t1", x))
    [result] = again.advance()
    assert (result.trial, result.scores) == ("t0", undisturbed.scores)


def test_faults_and_divergence_are_each_members_own() -> None:
    cohort = SoloCohort(assignment())
    wild = {"optimiser": "sgd", "normalisation": "none"}
    cohort.admit(
        [member("t0", 1, (1,), lr=1e30, **wild), member("t1", 1, (1,), activation="rleu"), member("t2", 1, (1,))]
    )
    diverged, failed, finished = cohort.advance()
    assert [one.state for one in (diverged, failed, finished)] == ["diverged", "failed", "finished"]
    assert failed.failure is not None and "rleu" in failed.failure.error


def test_release_removes_the_members_checkpoints() -> None:
    cohort = SoloCohort(assignment())
    cohort.admit([member("t0", 1, (1, 2)), member("t1", 1, (1, 2))])
    cohort.advance()
    cohort.release(["t0"])
    assert {path.name for path in cohort._folder.iterdir()} == {"t1-0.ckpt"}


def test_export_opens_in_lightning(tmp_path: Path) -> None:
    cohort = SoloCohort(assignment())
    cohort.admit([member("t0", 1, (1,))])
    cohort.advance()
    cohort.export("t0", 0, tmp_path / "member.ckpt")
    assert isinstance(ScoringNetwork.load_from_checkpoint(tmp_path / "member.ckpt"), ScoringNetwork)


def test_a_users_module_trains_solo_too() -> None:
    cohort = SoloCohort(assignment(family_of(Plain)))
    cohort.admit([Member("t0", {"lr": 0.01, "dropout": 0.1, "batch_size": 16}, 1, (2,))])
    [result] = cohort.advance()
    assert result.state == "finished" and 0 < result.scores["log_loss"] < 1


def test_weights_are_not_taken_over_by_networks_that_train_solo() -> None:
    cohort = SoloCohort(assignment())
    heir = replace(member("t2", 2, (2, 5)), ancestors=(Ancestor("t1", member("t1").params, 1, 2),))
    with pytest.raises(ValueError, match="networks that train as one"):
        cohort.admit([heir])
