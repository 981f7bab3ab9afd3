"""Real short runs on this machine's processor."""

import gc
import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from distml.bench import machine
from distml.bench.arms import Arm, Subject
from distml.bench.measure import Settings, arm_record, measure
from distml.bench.processes import ArmError, Crew, best_batch
from distml.bench.record import Repeat
from distml.bench.site import Site
from distml.bench.worker import Job
from distml.bench.workload import QUICK, members, operations, table
from distml.hardware.devices import Inventory

TINY = QUICK.model_copy(update={"rows": 400, "validation_rows": 100, "epochs": 1, "trees": 2})
SETTINGS = Settings(TINY, True, repeats=2, repeat_seconds=0.05)
NOTHING = Inventory(reason="no NVML: a CPU node")


class Watcher:
    """Keeps what it is told; interrupts at a sentence that begins so."""

    def __init__(self, interrupts_at=None):
        self.said, self.notes, self.interrupts_at = [], [], interrupts_at

    def progress(self, what, done, left_seconds):
        assert 0 <= done <= 1 and left_seconds >= 0
        self.said.append(what)
        if what == self.interrupts_at and self.said.count(what) == 2:  # in the second pass
            raise KeyboardInterrupt

    def noted(self, line):
        self.notes.append(line)


def bench(watcher, settings=SETTINGS, sweeps=()):
    subject = Subject(cores=2)
    described = machine.describe(subject, NOTHING, Site())
    return measure(described, subject, NOTHING, settings, watcher, command="distml bench", sweeps=sweeps)


def job(**changes):
    given = {
        "workload": TINY, "model": "scoring-network", "members": 1, "batch_size": 256, "device": "cpu", "threads": 1
    }  # fmt: skip
    return Job(**{**given, **changes})


@pytest.fixture(scope="module")
def interrupted():
    """A bench that was interrupted in its second pass, after two arms of it."""
    return bench(Watcher(interrupts_at="scoring-network, cohort of 16"), sweeps=["night-run"])


def test_an_interrupted_bench_keeps_what_was_done(interrupted):
    assert not interrupted.made.complete
    counts = [len(arm.repeats) for arm in interrupted.arms]
    assert counts[:2] == [2, 2] and set(counts[2:]) == {1}
    assert interrupted.arms[2].reason == "interrupted after 1 of 2 repeats"
    assert interrupted.marks[0] == "a sweep ran at the same time: night-run"
    assert interrupted.marks[-1] == "interrupted: not every arm has all its repeats"


def test_a_bench_measures_every_arm(interrupted):
    network = {arm.way for arm in interrupted.measured("scoring-network")}
    assert network == {"alone", "processes", "cohort", "cohorts"}
    assert {arm.way for arm in interrupted.measured("random-forest")} == {"alone", "processes"}
    assert {arm.batch for arm in interrupted.arms} == {"fixed", "best-fit"}
    for arm in interrupted.arms:
        assert arm.state == "measured"
        assert arm.trials_per_hour.median > 0
        assert 0 < arm.repeats[0].utilisation <= 1.1
        assert arm.peak_memory_mib > 50
        assert arm.missing["joules_per_trial"] == "no counter of the processor's energy is read"
        assert (arm.of_matrix_rate is not None) == (arm.model == "scoring-network")
    both = next(arm for arm in interrupted.arms if arm.name == "2 processes" and arm.model == "scoring-network")
    assert both.repeats[0].trials % 2 == 0
    assert [one.what for one in interrupted.ceilings] == ["matrix product", "device copy"]
    assert interrupted.start_seconds.median > 0.1
    assert interrupted.machine.cores == 2


def workers():
    """Processes of arms that live; the server they are forked from stays until this process ends."""
    found = multiprocessing.active_children()
    return [one for one in found if type(one).__name__ == "ForkServerProcess"]


def test_no_process_is_left_over(interrupted):
    assert workers() == []


OPEN = Path("/proc/self/fd")


def test_ctrl_c_while_a_process_starts_is_not_lost_and_leaves_nothing_open(monkeypatch):
    """As a user's would, it comes before the process is known."""
    with Crew([job()]):
        before = len(list(OPEN.iterdir()))
    started, start = [], BaseProcess.start

    def interrupted(process):
        signal.raise_signal(signal.SIGINT)
        start(process)
        started.append(process)

    monkeypatch.setattr(BaseProcess, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Crew([job(), job()])
    assert (len(started), workers()) == (1, [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        best_batch(job(), 400)
    gc.collect()
    assert len(list(OPEN.iterdir())) < before


def test_interrupted_before_anything_leaves_rows_that_were_not_run():
    class AtOnce(Watcher):
        def progress(self, what, done, left_seconds):
            raise KeyboardInterrupt

    found = bench(AtOnce())
    assert {(arm.state, arm.reason) for arm in found.arms} == {("not run", "interrupted before it")}
    assert (found.ceilings, found.start_seconds) == ((), None)


def test_memory_that_runs_out_is_a_state_and_not_an_end():
    wide = TINY.model_copy(update={"hidden": (3_000_000, 3_000_000)})  # 36 TB of weights
    with pytest.raises(ArmError) as error:
        Crew([job(workload=wide)])
    assert error.value.state == "out of memory"


def test_a_process_that_is_killed_is_said_and_the_others_end():
    crew = Crew([job(), job()])
    try:
        threading.Timer(0.3, os.kill, (crew.ready[0].pid, signal.SIGKILL)).start()
        with pytest.raises(ArmError, match="the system killed a process") as error:
            crew.repeat(100_000, [1, 2])
        assert error.value.state == "out of memory"
    finally:
        crew.end()
    assert workers() == []


def test_a_fault_is_a_row_with_its_reason():
    with pytest.raises(ArmError, match="ValueError: no family 'no-such-family'") as error:
        Crew([job(model="no-such-family")])
    assert error.value.state == "failed"


def test_all_processes_are_busy_until_the_last_is_done():
    with Crew([job(), job(members=16)]) as crew:
        quick, slow = crew.repeat(20, [1, 2])
    assert (quick.trials, slow.trials) == (20, 320)
    assert slow.seconds > quick.seconds and slow.ended_at > quick.ended_at
    # It has used about as much of the processor as the slow one, though its own trials took far less.
    assert quick.cpu_seconds_in_all > max(1.5 * quick.cpu_seconds, 0.5 * slow.cpu_seconds)


def test_the_best_batch_is_one_of_the_doubles():
    assert best_batch(job(members=2), 400) in (256,)
    assert best_batch(job(members=2, workload=TINY.model_copy(update={"batch_size": 32})), 400) in (32, 64, 128, 256)


def test_the_same_seed_gives_the_same_trials_and_the_same_table():
    first, again = (members(TINY, "scoring-network", 3, 256, seed=5) for _ in range(2))
    assert first == again != members(TINY, "scoring-network", 3, 256, seed=6)
    a, b = table(TINY), table(TINY)
    assert (a.x_train == b.x_train).all() and (a.y_train == b.y_train).all()
    assert 0.1 < a.y_train.mean() < 0.4


def test_the_made_up_table_can_be_learnt():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    found = table(QUICK.model_copy(update={"rows": 2000}))
    model = RandomForestClassifier(10, min_samples_leaf=10, random_state=0).fit(found.x_train, found.y_train)
    assert roc_auc_score(found.y_valid, model.predict_proba(found.x_valid)[:, 1]) > 0.65


def test_operations_by_hand():
    # 24-64-64-1: 24 * 64 + 64 * 64 + 64 = 5696 multiplications a row; 2 operations each, 3 times, less the table's.
    assert operations(TINY) == 400 * (6 * 5696 - 2 * 24 * 64)


def test_figures_of_an_arm_by_hand():
    repeats = [
        Repeat(seed=n, trials=10, seconds=1.0, trials_per_hour=rate, power_w=100.0, utilisation=0.5, peak_memory_mib=n)
        for n, rate in enumerate([3600.0, 7200.0, 3600.0, 3600.0, 3600.0])
    ]
    settings = Settings(TINY, True, repeats=5, repeat_seconds=1.0)

    class Standing:
        ended, notes, missing = None, {"halved": None}, {"utilisation": ""}

    found = arm_record(Arm("scoring-network", "alone", (None,), batch_size=256), settings, repeats, Standing(), 10.0)
    assert (found.state, found.reason, found.notes, found.missing) == ("measured", "", ("halved",), {})
    assert found.trials_per_hour.median == 3600.0
    assert found.samples_per_second.median == 400.0  # a trial a second, 400 rows, 1 epoch
    assert found.joules_per_trial.median == 100.0
    assert found.peak_memory_mib == 4
    assert found.of_matrix_rate == pytest.approx(operations(TINY) / 10e9)
