"""Preprocessing variants, each computed once a sweep and shared through Ray's object store."""

import ray

from distml.data.arrays import outline, prepare_folds, prepare_whole
from distml.data.dataset import Dataset
from distml.data.task import FoldArrays
from distml.data.variant import Variant, variant_from
from distml.models.family import Family, Params
from distml.sweep.parts import split_params
from distml.sweep.spec import SweepSpec
from distml.sweep.tune.worker import Prepared


class Variants:
    """Hands out prepared arrays; the first trial of a variant pays for it."""

    def __init__(self, dataset: Dataset, spec: SweepSpec) -> None:
        self._dataset, self._spec = dataset, spec
        self._refs: dict[tuple[Variant, bool], ray.ObjectRef[Prepared]] = {}

    def ref(self, family: Family, params: Params) -> "ray.ObjectRef[Prepared]":
        variant = variant_from(split_params(params)[1])
        whole = scores_out_of_bag(family, variant, self._spec)
        if (variant, whole) not in self._refs:
            self._refs[variant, whole] = ray.put(prepared(self._dataset, variant, whole, self._spec.seed))
        return self._refs[variant, whole]


def prepared(dataset: Dataset, variant: Variant, whole: bool, seed: int) -> Prepared:
    """The table's folds under one variant, and with `whole` all its training rows, without the holdout."""
    folds = prepare_folds(dataset, variant, seed)
    everything = prepare_whole(dataset, variant, seed) if whole else None
    if everything is not None:
        none = slice(0, 0)
        everything = FoldArrays(
            everything.x_train, everything.y_train, everything.x_valid[none], everything.y_valid[none],
            everything.train_rows, everything.valid_rows[none], everything.cardinalities,
        )  # fmt: skip
    return Prepared(outline(dataset, folds[0]), folds, everything)


def scores_out_of_bag(family: Family, variant: Variant, spec: SweepSpec) -> bool:
    """Whether rows outside a tree's bootstrap sample may stand in for cross-validation.

    Not where rows of a group or neighbours in time would sit on both sides, and not under PCA or landmarks, which
    learn from all rows together; scaling and coding columns one by one tells a tree nothing about a row's target.
    """
    bags = family.growth is not None and family.growth.out_of_bag
    exchangeable = spec.data.group is None and spec.data.time is None and spec.split.folds > 1
    return bags and exchangeable and variant.pca is None and variant.landmarks is None
