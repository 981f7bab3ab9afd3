"""The cohort that trains its members as one batched network."""

import os
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from distml.models.family import Params
from distml.models.network_output import predictions
from distml.training.block import Lane, Learner, Table, bind_block, train_block
from distml.training.cohort import Assignment, Failure, Member, RungResult, State, member_from
from distml.training.failures import failure_of
from distml.training.learners import choose_learner
from distml.training.modules import (
    TrainingFacts,
    batch_size_of,
    batches_of,
    make_module,
    tensor_of,
    write_checkpoint,
)
from distml.training.optimisers import slot_count
from distml.training.order import fold_seed
from distml.training.scores import score_folds
from distml.training.stacking import quiet
from distml.training.usage import is_out_of_memory, peak_memory_mib
from distml.training.validation import Validation

BLOCK = {"cpu": 16}  # lanes trained at a time: what fits the processor's cache; elsewhere all


@dataclass
class Standing:
    """Where a member stands."""

    member: Member
    state: State = "running"
    rung: int = 0  # how many of its rungs it has reached
    seconds: float = 0.0  # of training since its last rung
    failure: Failure | None = None
    told: bool = field(default=False)  # its end has been reported

    @property
    def epoch(self) -> int:
        return self.member.rungs[self.rung - 1] if self.rung else self.member.start


class StackedCohort:
    """Trains K members x F folds as batched networks, in blocks of one age.

    A lane's trajectory is a function of its own parameters, seed and fold: it draws its own batches, and the noise of
    dropout is a function of its age. So who else is in the cohort makes no difference beyond float rounding.
    """

    def __init__(
        self, assignment: Assignment, params: Params, dtype: torch.dtype = torch.float32, block: int | None = None
    ) -> None:
        """params: of any member; they give the structure that all members share."""
        torch.set_num_threads(assignment.threads)
        self.assignment = assignment
        self.dtype, self.device = dtype, torch.device(assignment.device)
        self.block = block or BLOCK.get(self.device.type, 4096)
        self.notes: list[str] = []  # what changed on the way, and why
        self.module = make_module(assignment, params, 0, 0, 1, plain=True).to(self.device, dtype)
        self.batch_size = batch_size_of(params, self.module)
        self.learner: Learner
        self.learner, reason = choose_learner(assignment, params, self.module)
        self.notes.append(reason)
        self.table = Table(assignment, self.learner, dtype, self.device)
        self._lanes: list[Lane] = []
        self._rows: dict[str, list[int]] = {}  # trial -> the places of its folds in the store
        self._store: dict[str, Tensor] = {}
        self._form: dict[str, torch.Size] = {}  # of one lane's tensors, the same for all
        self._standings: dict[str, Standing] = {}

    def admit(self, members: Sequence[Member]) -> None:
        rows: list[dict[str, Tensor]] = []
        lanes = list(self._lanes)
        for member in members:
            standing = Standing(member, rung=bisect_right(member.rungs, member.start))
            self._standings[member.trial] = standing
            try:
                made = [self._make(member, fold) for fold in range(len(self.assignment.folds))]
                for lane, state in made:
                    state |= self._inherited(member, lane.fold)
            except Exception as error:  # a module's own code may raise anything; that is this trial's result
                standing.state, standing.failure = "failed", failure_of(error)
                continue
            for lane, state in made:
                lanes.append(lane)
                rows.append(state)
        self._seat(lanes)
        if rows:
            fresh = {name: torch.stack([row[name] for row in rows]).to(self.device) for name in rows[0]}
            held = self._store
            self._store = {name: torch.cat([held[name], fresh[name]]) if held else fresh[name] for name in fresh}
        self._catch_up(max((member.start for member in members), default=0))

    def advance(self) -> list[RungResult]:
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for row, lane in enumerate(self._lanes):
            standing = self._standings[lane.trial]
            if standing.state == "running":
                target, course = standing.member.rungs[standing.rung], lane.course
                key = (standing.epoch, target, self.table.rows[lane.fold], course.kind, course.nesterov)
                groups[key].append(row)
        with self._training():
            for (first, last, *_), rows in groups.items():
                for start in range(0, len(rows), self.block):
                    self._train(rows[start : start + self.block], first, last)
            peak = peak_memory_mib(self.device)  # asked once: the system takes milliseconds to answer
            return [self._result(one, peak) for one in self._standings.values() if not one.told]

    def release(self, trials: Collection[str]) -> None:
        for trial in trials:
            self._standings.pop(trial, None)
        kept = [row for row, lane in enumerate(self._lanes) if lane.trial in self._standings]
        if len(kept) < len(self._lanes):
            self._seat([self._lanes[row] for row in kept])
            index = torch.tensor(kept, dtype=torch.int64, device=self.device)
            self._store = {name: held[index] for name, held in self._store.items()} if kept else {}

    def save(self, path: Path) -> bool:
        members = [asdict(standing) for standing in self._standings.values()]
        lanes = [(lane.trial, lane.fold) for lane in self._lanes]
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            torch.save({"members": members, "lanes": lanes, "store": self._store, "block": self.block}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return True

    def restore(self, path: Path) -> list[str]:
        held = torch.load(path, map_location=self.device, weights_only=True)
        for fields in held["members"]:
            member = member_from(fields.pop("member"))
            failure = fields.pop("failure")
            self._standings[member.trial] = Standing(member, failure=Failure(**failure) if failure else None, **fields)
        lanes = [self._make(self._standings[trial].member, fold)[0] for trial, fold in held["lanes"]]
        self._seat(lanes)
        self._store, self.block = held["store"], held["block"]
        return list(self._standings)

    def validation(self, trial: str) -> Validation:
        with self._training():
            rows = [fold.valid_rows for fold in self.assignment.folds]
            return Validation.of_folds(zip(rows, self._fold_predictions(trial), strict=True))

    def predict(self, trial: str, x: np.ndarray) -> np.ndarray:
        rows = tensor_of(x).to(self.device, self.dtype)
        return np.stack([predictions(self._loaded(row), rows, self.assignment.outline) for row in self._rows[trial]])

    def export(self, trial: str, fold: int, path: Path) -> None:
        """Write one member's network of one fold as an ordinary Lightning checkpoint.

        `load_from_checkpoint(path)` of the module's own class opens it.
        """
        params = self._standings[trial].member.params
        write_checkpoint(self.module_of(trial, fold), params, self.assignment.outline, path)

    def module_of(self, trial: str, fold: int) -> Any:
        """One member's network of one fold, as a LightningModule of its own on the CPU."""
        member, row = self._standings[trial].member, self._rows[trial][fold]
        module = make_module(self.assignment, member.params, member.seed, fold, member.rungs[-1]).to(self.dtype)
        self.learner.load(module, {name: held[row].cpu() for name, held in self._store.items()})
        return module.eval()

    def seconds_per_step(self, lanes: int, steps: int, warm_up: int) -> float:
        """How long one training step takes per lane, with copies of the first lane trained and thrown away."""
        count = min(lanes, self.block)  # more are trained in turn
        state = {name: held[:1].repeat(count, *(1 for _ in held.shape[1:])) for name, held in self._store.items()}
        start = 0.0
        with self._training():
            train = bind_block(self.learner, self.table, [self._lanes[0]] * count, state, self.batch_size)
            for step in range(warm_up + steps):
                if step == warm_up:
                    start = self._now()
                train()
            return (self._now() - start) / (steps * count)

    @contextmanager
    def _training(self) -> Iterator[None]:
        """On the cohort's share of the machine; a member that overflows is no news."""
        with threadpool_limits(self.assignment.threads), np.errstate(all="ignore"):
            yield

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _make(self, member: Member, fold: int) -> tuple[Lane, dict[str, Tensor]]:
        """One lane and its state at the start."""
        module = make_module(self.assignment, member.params, member.seed, fold, member.rungs[-1], plain=True)
        module = quiet(module.to(self.dtype))
        batches = batches_of(self.assignment.folds[fold], self.batch_size)
        module.trainer = TrainingFacts(member.rungs[-1], batches)
        course = self.learner.course(module, batches)
        state = {name: value.detach().clone() for name, value in self.learner.state_of(module).items()}
        state |= {f"slot.{i}": torch.zeros_like(state["weights"]) for i in range(slot_count(course.kind))}
        form = {name: value.shape for name, value in state.items()}
        self._form = self._form or form
        if form != self._form:
            raise ValueError("its network or optimiser has another structure than its cohort's")
        return Lane(member.trial, fold, fold_seed(member.seed, fold), course), state

    def _catch_up(self, age: int) -> None:
        """Train those that an heir finds behind it to its age: all were there when it took over, and were compared, but
        a cohort that begins again has younger ones, as its checkpoint has or none."""
        behind: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, lane in enumerate(self._lanes):
            standing = self._standings[lane.trial]
            if standing.state == "running" and standing.epoch < age:
                behind[standing.epoch, self.table.rows[lane.fold]].append(row)
        with self._training():
            for (epoch, _), rows in behind.items():
                for start in range(0, len(rows), self.block):
                    self._train(rows[start : start + self.block], epoch, age)
        for trial in {self._lanes[row].trial for rows in behind.values() for row in rows}:
            standing = self._standings[trial]
            standing.rung = bisect_right(standing.member.rungs, age)

    def _inherited(self, member: Member, fold: int) -> dict[str, Tensor]:
        """What a member takes over on one fold: its parent's weights and moments as they stand here at that age, or,
        where the parent is not here any more, as its whole line comes to them when it is trained again."""
        if not member.ancestors:
            return {}
        parent = member.ancestors[-1]
        standing = self._standings.get(parent.trial)
        if standing is not None and (standing.epoch, standing.state) == (parent.until, "running"):
            row = self._rows[parent.trial][fold]
            return {name: held[row].cpu() for name, held in self._store.items() if _is_learnt(name)}
        learnt: dict[str, Tensor] = {}
        first = 0
        for ancestor in member.ancestors:
            lane, state = self._make(Member(ancestor.trial, ancestor.params, ancestor.seed, member.rungs), fold)
            block = {name: value[None].to(self.device) for name, value in (state | learnt).items()}
            with self._training():
                train_block(self.learner, self.table, [lane], block, first, ancestor.until, self.batch_size)
            learnt = {name: value[0].cpu() for name, value in block.items() if _is_learnt(name)}
            first = ancestor.until
        return learnt

    def _train(self, rows: list[int], first: int, last: int) -> None:
        """Train some lanes from epoch `first` to `last`; what goes wrong is narrowed down to the lanes it is due to."""
        start = time.perf_counter()
        index = torch.tensor(rows, dtype=torch.int64, device=self.device)
        try:
            state = {name: held[index] for name, held in self._store.items()}
            lanes = [self._lanes[row] for row in rows]
            train_block(self.learner, self.table, lanes, state, first, last, self.batch_size)
        except Exception as error:  # the store still holds these lanes as they were
            failure = failure_of(error)
            if len(rows) == 1:
                standing = self._standings[self._lanes[rows[0]].trial]
                standing.state, standing.failure = "failed", failure
                return
            half = len(rows) // 2
            if is_out_of_memory(error):
                self.block = min(self.block, half)
                self.notes.append(f"out of memory with {len(rows)} networks at a time: {self.block} from here on")
            del error
            for part in (rows[:half], rows[half:]):
                self._train(part, first, last)
            return
        for name, held in self._store.items():
            held[index] = state[name]
        share = (time.perf_counter() - start) / len(rows)
        for row in rows:
            self._standings[self._lanes[row].trial].seconds += share

    def _result(self, standing: Standing, peak_memory_mib: float) -> RungResult:
        """Score a member at the rung it has come to."""
        start, trial = time.perf_counter(), standing.member.trial
        scores: dict[str, float] = {}
        folds: tuple[float, ...] = ()
        if standing.state == "running":
            try:
                scores, folds = score_folds(self.assignment, self._fold_predictions(trial))
                standing.rung += 1
                if standing.rung == len(standing.member.rungs):
                    standing.state = "finished"
            except FloatingPointError:
                standing.state = "diverged"
            except Exception as error:
                standing.state, standing.failure = "failed", failure_of(error)
        standing.told = standing.state != "running"
        seconds = standing.seconds + time.perf_counter() - start
        standing.seconds = 0.0
        return RungResult(
            trial, standing.epoch, standing.state, scores, folds, seconds,
            gpu_seconds=seconds if self.device.type == "cuda" else None,
            peak_memory_mib=peak_memory_mib, failure=standing.failure,
        )  # fmt: skip

    def _fold_predictions(self, trial: str) -> Iterator[np.ndarray]:
        """Raises FloatingPointError where the member's weights are no longer finite."""
        for fold, row in enumerate(self._rows[trial]):
            if not bool(torch.isfinite(self._store["weights"][row]).all()):
                raise FloatingPointError("its weights are no longer finite")
            yield predictions(self._loaded(row), self.table.valid[fold], self.assignment.outline)

    def _loaded(self, row: int) -> Any:
        self.learner.load(self.module, {name: held[row] for name, held in self._store.items()})
        return self.module

    def _seat(self, lanes: list[Lane]) -> None:
        """Set the lanes, in the order of the store."""
        self._lanes, self._rows = lanes, defaultdict(list)
        for row, lane in enumerate(lanes):
            self._rows[lane.trial].append(row)


def _is_learnt(name: str) -> bool:
    """Whether a tensor of the store is what training changes; the others follow from a member's parameters."""
    return name == "weights" or name.startswith("slot.")
