"""The driver's side of the samplers, a turn at a time, on a Ray that answers as the test says."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from distml.hardware.attribution import Cost
from distml.hardware.devices import Device, Inventory
from distml.hardware.samples import DeviceSample, HostSample, Sample
from distml.sweep import samplers
from distml.sweep.holding import Holding
from distml.sweep.sampler import NodeReport
from distml.sweep.samplers import RENEWALS, RESTARTS, RungCost, Samplers

CARD = Device(0, "GPU-0", "NVIDIA GeForce RTX 3090", 24576, 82, "570")
COST = Cost(4.0, 0.5, 900.0, 1200.0, False)
WAITING = object()


def report(*devices, age=0.1):
    return NodeReport(Inventory(devices), Sample(1.0, HostSample(0.1, 1, 2, 3), ()), age, 7, 0.1, 80.0)


class Cluster:
    """Raylets, and what the samplers on them answer: a value, WAITING, or an exception."""

    def __init__(self, *addresses):
        self.raylets = [
            {"NodeID": f"n{number}", "NodeManagerAddress": address, "NodeManagerHostname": "ws", "Alive": True}
            for number, address in enumerate(addresses, start=1)
        ]
        self.latest = {}  # raylet -> what its sampler says of it; else a report without devices
        self.cost = {}
        self.started = []
        self.seen = ()
        self.now = 100.0

    # what samplers.py calls of Ray
    def nodes(self):
        return self.raylets

    def wait(self, references, timeout):
        return [one for one in references if one() is not WAITING], []

    def get(self, reference, timeout):
        if isinstance(reference(), Exception):
            raise reference()
        return reference()

    def kill(self, actor):
        """It is gone."""

    def options(self, scheduling_strategy):
        return SimpleNamespace(remote=lambda: self._sampler(scheduling_strategy.node_id))

    def _sampler(self, node):
        self.started.append(node)
        return SimpleNamespace(
            begin=SimpleNamespace(remote=lambda disk: None),
            latest=SimpleNamespace(remote=lambda: lambda: self.latest.get(node, report())),
            cost=SimpleNamespace(remote=lambda cohort, holding: lambda: self.cost.get(node, COST)),
        )

    def turn(self, nodes, seconds=1.0, times=1):
        for _ in range(times):
            self.now += seconds
            nodes._turn(self.now)


@pytest.fixture
def begun(monkeypatch, tmp_path):
    def begin(*addresses):
        cluster = Cluster(*addresses)
        monkeypatch.setattr(samplers, "ray", cluster)
        monkeypatch.setattr(samplers, "NodeSampler", cluster)
        pinned = lambda node, soft: SimpleNamespace(node_id=node)  # noqa: E731
        monkeypatch.setattr(samplers, "NodeAffinitySchedulingStrategy", pinned)
        return cluster, Samplers(0.0, tmp_path, lambda views: setattr(cluster, "seen", views))

    return begin


def held(node="n1", device="GPU-0"):
    return Holding(node, (device,), 1.0, 10.0, 14.0, 7)


def test_raylets_of_one_machine_share_a_sampler(begun):
    cluster, nodes = begun("10.0.0.1", "10.0.0.1", "10.0.0.2")
    cluster.turn(nodes, times=3)
    assert cluster.started == ["n1", "n3"]
    assert [view.name for view in cluster.seen] == ["ws", "ws-n3"]  # two machines of one name are told apart
    cluster.raylets[0]["Alive"] = False
    cluster.turn(nodes, times=6)
    assert cluster.started == ["n1", "n3", "n2"]  # the machine is there still


def test_a_raylet_whose_device_its_machines_sampler_does_not_see_gets_one_of_its_own(begun):
    cluster, nodes = begun("10.0.0.1", "10.0.0.1")
    cluster.latest = {"n1": report(), "n2": report(CARD)}
    cluster.turn(nodes, times=2)
    nodes.ask(RungCost("c1", held("n2"), None))
    cluster.turn(nodes, times=3)
    assert cluster.started == ["n1", "n2"]
    assert str(nodes.place_of(held("n2"))) == "ws-n2 gpu0 RTX 3090"


def test_a_cost_comes_back_with_what_it_is_about(begun):
    cluster, nodes = begun("10.0.0.1")
    cluster.cost["n1"] = WAITING
    cluster.turn(nodes)
    question = RungCost("c1", held(), "mine")
    nodes.ask(question)
    cluster.turn(nodes, times=2)
    assert nodes.answers() == []
    cluster.cost["n1"] = COST
    cluster.turn(nodes)
    assert nodes.answers() == [(question, COST)]


def test_a_sampler_that_dies_is_started_again_a_few_times_and_then_given_up(begun):
    cluster, nodes = begun("10.0.0.1")
    cluster.latest["n1"] = RuntimeError("gone")
    cluster.turn(nodes, times=60)
    assert len(cluster.started) == 1 + RESTARTS
    (view,) = cluster.seen
    assert (view.report, view.gap) == (None, "its sampler ended: RuntimeError; given up after 3 restarts")
    nodes.ask(RungCost("c1", held(), None))
    cluster.turn(nodes, times=12)
    ((_, cost),) = nodes.answers()
    assert (cost.gpu_seconds, cost.energy_j, cost.missing["energy_j"]) == (4.0, None, view.gap)


@pytest.mark.parametrize(
    ("answer", "why"),
    [(WAITING, "its sampler does not answer"), (report(age=99.0), "its sampler does not get on: NVML does not answer")],
)
def test_a_sampler_that_hangs_is_a_gap_with_its_reason(begun, answer, why):
    cluster, nodes = begun("10.0.0.1")
    cluster.turn(nodes, times=4)
    assert cluster.seen[0].gap is None
    cluster.latest["n1"] = answer
    gaps = set()
    for _ in range(20):
        cluster.turn(nodes)
        gaps.add(cluster.seen[0].gap)
    assert why in gaps and len(cluster.started) > 1


def test_a_sampler_with_a_dead_card_is_renewed_ever_more_rarely_and_then_keeps_the_others_history(begun):
    cluster, nodes = begun("10.0.0.1")
    dead = DeviceSample.gap("GPU-1", "the GPU fell off the bus")
    sample = Sample(1.0, HostSample(0.1, 1, 2, 3), (DeviceSample("GPU-0"), dead), "GPU-1: the GPU fell off the bus")
    cluster.latest["n1"] = NodeReport(Inventory((CARD,)), sample, 0.1, 7, 0.1, 80.0)
    begun_at = []
    for _ in range(900):
        before = len(cluster.started)
        cluster.turn(nodes)
        begun_at += [cluster.now] * (len(cluster.started) - before)
    waits = [after - before for before, after in pairwise(begun_at)]
    assert len(waits) == RENEWALS and all(2**n * 10 < wait < 2**n * 10 + 6 for n, wait in enumerate(waits))
    (view,) = cluster.seen
    assert view.gap is None  # the host and the other card are read all the same
    assert view.report.sample.gap == (
        "GPU-1: the GPU fell off the bus; its sampler was started anew 5 times, and stays as it is"
    )


def test_a_question_is_answered_once_though_its_thread_comes_back_after_the_end(begun):
    cluster, nodes = begun("10.0.0.1")
    cluster.cost["n1"] = WAITING
    cluster.turn(nodes)
    for cohort in ("c1", "c2"):
        nodes.ask(RungCost(cohort, held(), None))
        if cohort == "c1":
            cluster.turn(nodes)  # the other one has not been taken up
    late = list(nodes._open)
    nodes.close()
    assert [asked.cohort for asked, _ in nodes.answers()] == ["c1", "c2"]
    cluster.cost["n1"] = COST
    assert nodes._settle(late[0], cluster.now)
    assert nodes.answers() == []


def test_a_node_that_is_gone_and_an_end_that_comes_first_are_answers_too(begun):
    cluster, nodes = begun("10.0.0.1")
    cluster.turn(nodes)
    nodes.ask(RungCost("c1", held("elsewhere"), None))
    cluster.turn(nodes, times=12)
    ((_, cost),) = nodes.answers()
    assert cost.missing["energy_j"] == "its node is gone"
    cluster.cost["n1"] = WAITING
    nodes.ask(RungCost("c2", held(), None))
    cluster.turn(nodes)
    nodes.close()
    ((_, cost),) = nodes.answers()
    assert cost.missing["energy_j"] == "the sweep ended before it was sampled"


def test_ray_that_is_away_for_a_while_ends_nothing(begun):
    cluster, nodes = begun("10.0.0.1")
    cluster.nodes = lambda: 1 / 0
    nodes.begin()
    nodes.ask(RungCost("c1", held(), None))
    nodes.close()
    assert len(nodes.answers()) == 1
