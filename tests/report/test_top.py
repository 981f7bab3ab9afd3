"""The screen of nodes, devices and cohorts, and the file that it is read from."""

import io
import json
import time

from rich.console import Console

from distml.hardware.devices import Device, Inventory
from distml.hardware.samples import DeviceSample, HostSample, ProcessUse, Sample
from distml.report import top
from distml.report.console import show
from distml.sweep.nodes import CohortState, NodeState, Scene, from_json, to_json
from tests.report.sweeps import write_sweep

HOST = HostSample(0.37, 2048, 16384, 1000.0)
CARD = Device(0, "GPU-0", "NVIDIA GeForce RTX 3090", 24576, 82, "570", capability="8.6")
CUT = Device(0, "GPU-b", "NVIDIA A100-SXM4-40GB", 40960, 108, "570", mig_mode="enabled")
SLICE = Device(0, "MIG-3", "MIG 3g.20gb", 19968, 42, "570", profile="3g.20gb", parent="GPU-b")
WORKSTATION = NodeState(
    "ws-3090",
    Inventory((CARD,)),
    Sample(1.0, HOST, (DeviceSample("GPU-0", 0.97, 21504, 331.0, throttled_by=(), processes=(ProcessUse(4, None),)),)),
)
A100 = NodeState(
    "a100",
    Inventory((CUT, SLICE)),
    Sample(
        1.0,
        HOST,
        (
            DeviceSample("GPU-b", power_w=212.0, missing={"utilisation": "none for a card in MIG mode"}),
            DeviceSample("MIG-3", memory_used_mib=7373, missing={"utilisation": "none for slices"}),
        ),
    ),
)
HEAD = NodeState("head", Inventory(reason="no NVML: a CPU node"), Sample(1.0, HOST, (), "no NVML: a CPU node"))
GONE = NodeState("ws-2", None, None, "its sampler is starting")
COHORTS = (
    CohortState("credit", "c001", "scoring-network", 512, 3, "ws-3090", ("GPU-0",)),
    CohortState("credit", "c002", "scoring-network", 64, 1, "a100", ("MIG-3",)),
    CohortState("credit", "c003", "random-forest", 1, 50, "head"),
    CohortState("credit", "c004", "mine", 1, 0),
)
SCENE = Scene(7.0, (HEAD, WORKSTATION, A100, GONE), COHORTS)


def drawn(items):
    paper = Console(file=io.StringIO(), width=200, highlight=False, markup=False)
    show(paper, *items)
    return paper.file.getvalue().splitlines()


def test_a_scene_read_from_its_file_is_the_one_that_was_written():
    assert from_json(json.loads(json.dumps(to_json(SCENE), allow_nan=False))) == SCENE


def test_the_screen():
    assert drawn(top.scene_lines(SCENE)) == [
        "node      device                         memory    util      power   running",
        "head      (no GPU)               2.0 / 16.0 GiB    37 %          -   random-forest x1, rung 50",
        "ws-3090   host                   2.0 / 16.0 GiB    37 %          -   -",
        "          gpu0 RTX 3090         21.0 / 24.0 GiB    97 %      331 W   scoring-network x512, rung 3",
        "a100      host                   2.0 / 16.0 GiB    37 %          -   -",
        "          gpu0 A100-SXM4-40GB               MIG    n/a*      212 W",
        "            3g.20gb              7.2 / 19.5 GiB   n/a**   ~91 W***   scoring-network x64, rung 1",
        "ws-2      -                                   -       -          -   -",
        "* none for a card in MIG mode",
        "** none for slices",
        "*** estimated: the board's power by share of SMs",
        "ws-2: its sampler is starting",
        "credit c004: mine x1, rung 0, its place is not known yet",
    ]


def test_json_has_what_is_unknown_as_null_with_its_reason():
    shown = top.scene_json(SCENE)
    json.dumps(shown, allow_nan=False)
    assert [(node["node"], node["gap"]) for node in shown["nodes"]] == [
        ("head", "no NVML: a CPU node"), ("ws-3090", None), ("a100", None), ("ws-2", "its sampler is starting"),
    ]  # fmt: skip
    assert shown["nodes"][2]["devices"][1]["missing"]["utilisation"] == "none for slices"
    assert shown["cohorts"][1] == {
        "sweep": "credit", "cohort": "c002", "family": "scoring-network", "trials": 64, "rung": 1, "node": "a100",
        "devices": ("MIG-3",),
    }  # fmt: skip


def test_only_a_driver_that_lives_and_wrote_just_now_is_believed(tmp_path):
    folder = write_sweep(tmp_path)
    folder.write_scene(SCENE)
    assert top.sweeps_scene(tmp_path, SCENE.at).cohorts == ()  # nobody drives it
    with folder.writer():
        assert top.sweeps_scene(tmp_path, SCENE.at + 1).cohorts == COHORTS
        assert top.sweeps_scene(tmp_path, SCENE.at + 60).cohorts == ()
        (tmp_path / "credit" / "nodes.json").write_text('{"at": 1')
        assert top.sweeps_scene(tmp_path, time.time()).nodes == ()


def test_nodes_seen_by_several_stand_once():
    newer = NodeState("head", Inventory(), Sample(2.0, HOST, ()))
    merged = top.with_nodes(SCENE, [newer])
    assert [node.name for node in merged.nodes] == ["head", "ws-3090", "a100", "ws-2"]
    assert merged.nodes[0] is newer and merged.cohorts == COHORTS
