"""Prepared arrays: made once, stored once, and not kept here."""

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distml.data.task import FoldArrays
from distml.sweep import variants as module
from distml.sweep.preflight import Checked, preflight
from distml.sweep.spec import SweepSpec
from distml.sweep.tune.worker import Prepared
from distml.sweep.variants import Variants, prepared

PARAMS = {"preprocessing.numeric": "standard"}


class Store:
    """Ray's object store, whose references are places in a list; it keeps nothing but copies."""

    def __init__(self) -> None:
        self.objects: list[Any] = []

    def put(self, value: Any) -> int:
        if isinstance(value, tuple):
            value = tuple(_copied(fold) for fold in value)
        elif value.whole is not None:
            value = Prepared(value.outline, value.folds, _copied(value.whole))
        self.objects.append(value)
        return len(self.objects) - 1


def _copied(arrays: FoldArrays) -> FoldArrays:
    return FoldArrays(*(np.copy(value) if isinstance(value, np.ndarray) else value for value in vars(arrays).values()))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(module, "put", store.put)
    return store


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    frame["bad"] = (frame["a"] + rng.normal(size=120) > 0).astype(int)
    frame.to_csv(tmp_path / "small.csv", index=False)
    families = ["random-forest", "logistic-regression"]
    data = {"source": tmp_path / "small.csv", "target": "bad"}
    return preflight(SweepSpec(name="small", data=data, families=families, preprocessing={"numeric": ["standard"]}))


@pytest.mark.parametrize("order", [1, -1])
def test_families_share_a_variants_folds(checked: Checked, store: Store, order: int) -> None:
    variants = Variants(checked)
    variants.prepare_ahead()
    families = list(checked.families.values())[::order]
    refs = {family.name: variants.ref(family, PARAMS) for family, _ in families}
    assert refs == {family.name: variants.ref(family, PARAMS) for family, _ in families}
    forest, regression = (store.objects[refs[name]] for name in ("random-forest", "logistic-regression"))
    assert forest.folds == regression.folds
    assert len(store.objects[forest.folds]) == len(checked.dataset.folds)
    assert len(store.objects) == 3  # the folds, and what each family gets
    assert regression.whole is None
    assert len(forest.whole.y_train) == len(checked.dataset.train)
    assert not len(forest.whole.y_valid)
    variants.close()


def test_what_is_handed_out_is_what_a_trial_is_trained_on_again(checked: Checked, store: Store) -> None:
    variants = Variants(checked)
    forest, _ = checked.families["random-forest"]
    given = store.objects[variants.ref(forest, PARAMS)]
    variants.close()
    again = prepared(checked.dataset, module.variant_from({"numeric": "standard"}), True, checked.spec.seed)
    assert given.outline == again.outline
    for one, other in zip([*store.objects[given.folds], given.whole], [*again.folds, again.whole], strict=True):
        np.testing.assert_array_equal(one.x_train, other.x_train)
        np.testing.assert_array_equal(one.x_valid, other.x_valid)


def test_stored_arrays_are_let_go_of(checked: Checked, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[np.ndarray]] = []
    prepare_folds = module.prepare_folds

    def watched(*args: Any) -> tuple[FoldArrays, ...]:
        folds = prepare_folds(*args)
        made.extend(weakref.ref(fold.x_train) for fold in folds)
        return folds

    monkeypatch.setattr(module, "prepare_folds", watched)
    variants = Variants(checked)
    variants.ref(checked.families["random-forest"][0], PARAMS)
    variants.close()
    variants._pool.shutdown(wait=True)
    gc.collect()
    assert made
    assert all(array() is None for array in made)


def test_nothing_is_prepared_after_the_end(checked: Checked, store: Store) -> None:
    variants = Variants(checked)
    variants.close()
    with pytest.raises(RuntimeError):
        variants.ref(checked.families["random-forest"][0], PARAMS)
    assert store.objects == []
