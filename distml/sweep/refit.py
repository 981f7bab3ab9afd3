"""Trials trained once more, on all training rows, and written into a scorer's folder."""

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from distml.data.arrays import fit_preprocessor, further_of, outline, targets
from distml.data.preprocessing import cardinalities
from distml.data.task import FoldArrays
from distml.data.variant import Variant, variant_from
from distml.errors import DistmlError
from distml.scorer.files import Member
from distml.scorer.onnx import write_onnx
from distml.scorer.storage import write_object
from distml.scorer.writing import write_model
from distml.sweep.lineage import member_of
from distml.sweep.params import split_params
from distml.sweep.parts import size_of
from distml.sweep.preflight import Checked
from distml.sweep.records import TrialRecord
from distml.training import cohort

_HOLDS_ROWS = {
    "k-nearest-neighbours": "holds the training rows, prepared",
    "support-vector-machine": "holds some training rows, prepared",
    "label-spreading": "holds the training rows, prepared",
}


class Refit:
    """Trains members; those of one preprocessing variant share its arrays and its file."""

    def __init__(self, checked: Checked, folder: Path, onnx: bool = False) -> None:
        """onnx: write models as ONNX, too, those that convert."""
        self._checked, self._folder, self._onnx = checked, folder, onnx
        self._converting = Lock()  # converters keep settings for all threads
        self._variants: dict[Variant, tuple[str, FoldArrays, Pipeline]] = {}
        self.notes: list[str] = []

    def write_all(self, trials: Mapping[str, TrialRecord], weights: Mapping[str, float], threads: int) -> list[Member]:
        """Train and write trials, as many at a time as there are threads, the longest first; in the weights' order.

        Each trains on one thread: on a machine that others use, threads that wait for each other lose most of it.

        Raises:
            DistmlError: a training failed this time.
        """
        for trial in weights:
            self._prepared(variant_from(split_params(trials[trial].params)[1]))
        longest_first = sorted(weights, key=lambda trial: -trials[trial].seconds)
        # Each changes the filters of warnings for itself, which threads share: here they are put back.
        with warnings.catch_warnings(), threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
            made = {trial: pool.submit(self.write, trials, trial, weights[trial]) for trial in longest_first}
            return [made[trial].result() for trial in weights]

    def write(self, trials: Mapping[str, TrialRecord], name_of_trial: str, weight: float) -> Member:
        """Train one trial and write it. Raises DistmlError where its training failed this time."""
        trial = trials[name_of_trial]
        name = trial.family
        family = self._checked.families[name][0]
        params, choices = split_params(trial.params)
        variant = variant_from(choices)
        preprocessing, whole, preprocessor = self._prepared(variant)
        dataset = self._checked.dataset
        shape = outline(dataset, whole)
        assignment = cohort.Assignment(family, shape, (), self._checked.evaluator, whole)
        member = member_of(trials, trial.trial, (size_of(family, params),))
        try:
            model = _trained(assignment, member)
        except DistmlError:
            raise
        except Exception as error:  # a model's own code may raise anything
            first = f"{type(error).__name__}: {error}".splitlines()[0]
            raise DistmlError(f"{trial.trial} could not be trained on all rows: {first}") from error
        self._note(trial, variant, preprocessing)
        file = write_model(model, family.engine, name, trial.trial, self._folder)
        onnx = None
        if self._onnx:
            held = preprocessor.transform(dataset.frame.iloc[dataset.holdout])
            with self._converting:
                why = write_onnx(model, family.engine, shape, held, self._folder / f"{trial.trial}.onnx")
            onnx = f"{trial.trial}.onnx" if why is None else None
            if why is not None:
                self.notes.append(f"no ONNX of {trial.trial} ({name}): {why}")
        return Member(
            trial=trial.trial, weight=weight, family=name, own_class=self._checked.spec.family_specs[name].class_,
            params=_plain(params), seed=trial.seed, variant=asdict(variant),
            features=shape.features, cardinalities=shape.cardinalities, further=shape.further,
            preprocessing=preprocessing,
            model=file, onnx=onnx,
        )  # fmt: skip

    def _prepared(self, variant: Variant) -> tuple[str, FoldArrays, Pipeline]:
        if variant not in self._variants:
            dataset = self._checked.dataset
            preprocessor: Pipeline = fit_preprocessor(dataset, variant, self._checked.spec.seed)
            name = f"preprocessing-{len(self._variants) + 1}.skops"
            write_object(preprocessor, self._folder / name)
            x = preprocessor.transform(dataset.frame.iloc[dataset.train])
            y = targets(dataset)[dataset.train]
            none = slice(0, 0)
            others = None if dataset.unlabelled is None else preprocessor.transform(dataset.unlabelled)
            further = further_of(dataset, dataset.train)
            codes = cardinalities(preprocessor)
            whole = FoldArrays(x, y, x[none], y[none], dataset.train, dataset.train[none], codes, others, further)
            self._variants[variant] = name, whole, preprocessor
        return self._variants[variant]

    def _note(self, trial: TrialRecord, variant: Variant, preprocessing: str) -> None:
        if trial.family in _HOLDS_ROWS:
            self.notes.append(f"the file of {trial.trial} ({trial.family}) {_HOLDS_ROWS[trial.family]}")
        if variant.landmarks is not None:
            self.notes.append(
                f"the preprocessing of {trial.trial} holds {variant.landmarks} training rows as landmarks"
            )


def _trained(assignment: cohort.Assignment, member: cohort.Member) -> Any:
    if assignment.family.engine == "network":
        from distml.training.whole import refit_network

        return refit_network(assignment, member)
    from distml.training.estimators import refit

    return refit(assignment, member)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}
