"""Preprocessing variants, each computed once a sweep and shared through Ray's object store."""

import itertools
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import ray

from distml.data.arrays import outline, prepare_folds, prepare_whole
from distml.data.dataset import Dataset
from distml.data.task import FoldArrays, Outline
from distml.data.variant import Variant, variant_from
from distml.models.family import Family, Params
from distml.models.space import Choice, Fixed
from distml.sweep.params import PREPROCESSING, split_params
from distml.sweep.preflight import Checked
from distml.sweep.spec import SweepSpec
from distml.sweep.tune.worker import Prepared

_AHEAD = 4  # variants to prepare before any trial asks for them


@dataclass(frozen=True)
class Arrays:
    """The table under one preprocessing variant."""

    outline: Outline
    folds: tuple[FoldArrays, ...]
    whole: FoldArrays | None  # given where out-of-bag rows may validate


class Variants:
    """Hands out prepared arrays; the first to ask for a variant pays for it.

    Families share a variant's folds. This process keeps arrays only until they lie in Ray's object store.
    """

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="distml-variants")
        self._folds: dict[Variant, Future[tuple[FoldArrays, ...]]] = {}
        self._wholes: dict[Variant, Future[FoldArrays]] = {}
        self._stored: dict[Variant, tuple[Outline, ray.ObjectRef[tuple[FoldArrays, ...]]]] = {}
        self._refs: dict[tuple[Variant, bool], ray.ObjectRef[Prepared]] = {}

    def prepare_ahead(self) -> None:
        """Begin with the variants that trials can ask for, if they are few."""
        spec = self._checked.spec
        choices = {
            name.removeprefix(PREPROCESSING): domain.options if isinstance(domain, Choice) else (domain.value,)
            for name, domain in spec.preprocessing.space(self._checked.dataset.kinds.values()).items()
            if isinstance(domain, (Choice, Fixed))
        }
        for combination in itertools.islice(itertools.product(*choices.values()), _AHEAD):
            variant = variant_from(dict(zip(choices, combination, strict=True)))
            for family, _ in self._checked.families.values():
                self._begin(family, variant)

    def ref(self, family: Family, params: Params) -> "ray.ObjectRef[Prepared]":
        variant = variant_from(split_params(params)[1])
        out_of_bag = self._begin(family, variant)
        key = (variant, out_of_bag)
        if key not in self._refs:
            shape, folds = self._store_folds(variant)
            whole = self._wholes[variant].result() if out_of_bag else None
            self._refs[key] = ray.put(Prepared(shape, folds, whole))
            if out_of_bag:
                del self._wholes[variant]
        return self._refs[key]

    def close(self) -> None:
        """Prepare nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, family: Family, variant: Variant) -> bool:
        """Set going what this family needs of a variant, once; whether that is all rows together, too."""
        dataset, seed = self._checked.dataset, self._checked.spec.seed
        out_of_bag = scores_out_of_bag(family, variant, self._checked.spec)
        if variant not in self._folds and variant not in self._stored:
            self._folds[variant] = self._pool.submit(prepare_folds, dataset, variant, seed)
        if out_of_bag and variant not in self._wholes and (variant, True) not in self._refs:
            self._wholes[variant] = self._pool.submit(_training_rows, dataset, variant, seed)
        return out_of_bag

    def _store_folds(self, variant: Variant) -> "tuple[Outline, ray.ObjectRef[tuple[FoldArrays, ...]]]":
        if variant not in self._stored:
            folds = self._folds[variant].result()
            self._stored[variant] = outline(self._checked.dataset, folds[0]), ray.put(folds)
            del self._folds[variant]
        return self._stored[variant]


def prepared(dataset: Dataset, variant: Variant, whole: bool, seed: int) -> Arrays:
    """The table's folds under one variant, and with `whole` all its training rows, without the holdout."""
    folds = prepare_folds(dataset, variant, seed)
    return Arrays(outline(dataset, folds[0]), folds, _training_rows(dataset, variant, seed) if whole else None)


def _training_rows(dataset: Dataset, variant: Variant, seed: int) -> FoldArrays:
    whole, none = prepare_whole(dataset, variant, seed), slice(0, 0)
    return replace(
        whole, x_valid=whole.x_valid[none], y_valid=whole.y_valid[none], valid_rows=whole.valid_rows[none]
    )  # fmt: skip


def scores_out_of_bag(family: Family, variant: Variant, spec: SweepSpec) -> bool:
    """Whether rows outside a tree's bootstrap sample may stand in for cross-validation.

    Not where rows of a group or neighbours in time would sit on both sides, and not under PCA, landmarks or TF-IDF,
    which learn from all rows together; scaling and coding columns one by one tells a tree nothing about a row's target.
    """
    bags = family.growth is not None and family.growth.out_of_bag
    exchangeable = spec.data.group is None and spec.data.time is None and spec.split.folds > 1
    return bags and exchangeable and variant.pca is None and variant.landmarks is None and variant.text == "none"
