"""Preprocessing variants, each computed once a sweep and shared through Ray's object store."""

import itertools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import ray

from distml.data.arrays import outline, prepare_folds, prepare_whole
from distml.data.dataset import Dataset
from distml.data.variant import Variant, variant_from
from distml.models.family import Family, Params
from distml.models.space import Choice, Fixed
from distml.sweep.params import PREPROCESSING, split_params
from distml.sweep.preflight import Checked
from distml.sweep.spec import SweepSpec
from distml.sweep.tune.worker import Prepared

_AHEAD = 4  # variants to prepare before any trial asks for them


class Variants:
    """Hands out prepared arrays; the first to ask for a variant pays for it."""

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="distml-variants")
        self._lock = threading.Lock()
        self._arrays: dict[tuple[Variant, bool], Future[Prepared]] = {}
        self._refs: dict[tuple[Variant, bool], ray.ObjectRef[Prepared]] = {}

    def prepare_ahead(self) -> None:
        """Begin with the variants that trials can ask for, if they are few."""
        choices = {
            name.removeprefix(PREPROCESSING): domain.options if isinstance(domain, Choice) else (domain.value,)
            for name, domain in self._checked.spec.preprocessing.space.items()
            if isinstance(domain, (Choice, Fixed))
        }
        for combination in itertools.islice(itertools.product(*choices.values()), _AHEAD):
            variant = variant_from(dict(zip(choices, combination, strict=True)))
            for family, _ in self._checked.families.values():
                self._begin(family, variant)

    def ref(self, family: Family, params: Params) -> "ray.ObjectRef[Prepared]":
        key, arrays = self._begin(family, variant_from(split_params(params)[1]))
        if key not in self._refs:
            self._refs[key] = ray.put(arrays.result())
        return self._refs[key]

    def _begin(self, family: Family, variant: Variant) -> tuple[tuple[Variant, bool], "Future[Prepared]"]:
        key = (variant, scores_out_of_bag(family, variant, self._checked.spec))
        with self._lock:
            if key not in self._arrays:
                dataset, seed = self._checked.dataset, self._checked.spec.seed
                self._arrays[key] = self._pool.submit(prepared, dataset, *key, seed)
        return key, self._arrays[key]


def prepared(dataset: Dataset, variant: Variant, whole: bool, seed: int) -> Prepared:
    """The table's folds under one variant, and with `whole` all its training rows, without the holdout."""
    folds = prepare_folds(dataset, variant, seed)
    everything = prepare_whole(dataset, variant, seed) if whole else None
    if everything is not None:
        none = slice(0, 0)
        everything = replace(
            everything,
            x_valid=everything.x_valid[none],
            y_valid=everything.y_valid[none],
            valid_rows=everything.valid_rows[none],
        )
    return Prepared(outline(dataset, folds[0]), folds, everything)


def scores_out_of_bag(family: Family, variant: Variant, spec: SweepSpec) -> bool:
    """Whether rows outside a tree's bootstrap sample may stand in for cross-validation.

    Not where rows of a group or neighbours in time would sit on both sides, and not under PCA or landmarks, which
    learn from all rows together; scaling and coding columns one by one tells a tree nothing about a row's target.
    """
    bags = family.growth is not None and family.growth.out_of_bag
    exchangeable = spec.data.group is None and spec.data.time is None and spec.split.folds > 1
    return bags and exchangeable and variant.pca is None and variant.landmarks is None
