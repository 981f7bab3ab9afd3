"""`distml devices` and `distml mig plan`, as users call them, on machines that are not there."""

import csv
import io
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.hardware.standin import DRIVER, a100, h100, rtx_3090

NODE = platform.node()
GUIDE = Path(__file__).parents[2] / "cluster" / "mig" / "README.md"


@pytest.fixture
def distml(machine):
    """Call the command on a machine that has these cards."""

    def call(*arguments, cards=(), lines=()):
        machine.holds(*cards, lines=lines)
        command = [Path(sys.executable).with_name("distml"), *arguments]
        environment = {**os.environ, **machine.environment}
        return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60)

    return call


def mixed():
    """A 3090 at work beside an A100 that is cut."""
    busy = ["used 0:21504", "power 0:331", "utilisation 0:97", "process 4242 21000"]
    cut = a100("GPU-b", {0: "3g.20gb", 4: "2g.10gb"}, "power 0:212")
    cut.slices[0].lines = ["used 0:7373"]
    return rtx_3090("GPU-a", *busy), cut


def test_devices_as_a_table(distml):
    said = distml("devices", cards=mixed())
    assert said.returncode == 0
    width = max(len(NODE), len("node"))
    assert said.stdout.splitlines() == [
        f"{'node':<{width}}   device                         memory    util      power   running",
        f"{NODE:<{width}}   gpu0 RTX 3090         21.0 / 24.0 GiB    97 %      331 W   pid 4242",
        f"{'':<{width}}   gpu1 A100-SXM4-40GB               MIG    n/a*      212 W",
        f"{'':<{width}}     3g.20gb              7.2 / 19.5 GiB   n/a**   ~91 W***   -",
        f"{'':<{width}}     2g.10gb               0.0 / 9.8 GiB   n/a**   ~61 W***   -",
        "* NVML gives none for a card in MIG mode",
        "** NVML gives none for slices of this card",
        "*** estimated: the board's power by share of SMs",
    ]


def test_devices_as_json_hold_to_the_contract(distml):
    (node,) = json.loads(distml("devices", "--format", "json", cards=mixed()).stdout)
    assert (node["node"], node["reason"], node["faults"]) == (NODE, None, [])
    wanted = ("uuid", "name", "memory_mib", "multiprocessors", "profile", "parent", "driver")
    assert [[device[key] for key in wanted] for device in node["devices"]] == [
        ["GPU-a", "NVIDIA GeForce RTX 3090", 24576, 82, None, None, DRIVER],
        ["GPU-b", "NVIDIA A100-SXM4-40GB", 40960, 108, None, None, DRIVER],
        ["MIG-b-0", "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 19968, 42, "3g.20gb", "GPU-b", DRIVER],
        ["MIG-b-4", "NVIDIA A100-SXM4-40GB MIG 2g.10gb", 9984, 28, "2g.10gb", "GPU-b", DRIVER],
    ]
    assert node["devices"][0]["processes"] == [{"pid": 4242, "memory_mib": 21000.0}]
    assert node["devices"][2]["missing"]["power_w"] == "NVML measures it for the whole card alone"
    assert node["host"]["memory_mib"] > 0


def test_devices_as_csv(distml):
    rows = list(csv.DictReader(io.StringIO(distml("devices", "--format", "csv", cards=mixed()).stdout)))
    assert [(row["node"], row["uuid"], row["processes"]) for row in rows][:2] == [
        (NODE, "GPU-a", "4242"),
        (NODE, "GPU-b", ""),
    ]


def test_top_needs_neither_a_sweep_nor_a_terminal(distml, tmp_path):
    lines = distml("top", "--runs", str(tmp_path), cards=mixed()).stdout.splitlines()
    assert lines[0].split() == ["node", "device", "memory", "util", "power", "running"]
    assert lines[1].split()[:2] == [NODE, "host"]
    assert lines[2].split() == ["gpu0", "RTX", "3090", "21.0", "/", "24.0", "GiB", "97", "%", "331", "W", "pid", "4242"]
    shown = json.loads(distml("top", "--once", "--format", "json", "--runs", str(tmp_path)).stdout)
    assert [(node["node"], node["gap"]) for node in shown["nodes"]] == [(NODE, "NVML finds no GPU: a CPU node")]
    assert (shown["cohorts"], shown["nodes"][0]["devices"]) == ([], [])


def test_slices_of_an_h100_show_their_utilisation(distml):
    cut = h100("GPU-h", ["0:40"])
    (node,) = json.loads(distml("devices", "--format", "json", cards=[cut], lines=[f"epoch {time.time()}"]).stdout)
    assert node["devices"][1]["utilisation"] == pytest.approx(0.4, abs=0.001)


def test_a_machine_without_a_gpu_says_so_in_one_line(distml):
    said = distml("devices")
    assert (said.returncode, said.stdout) == (0, f"{NODE}: NVML finds no GPU: a CPU node\n")


def test_a_driver_that_fails_is_said_and_is_no_success(distml):
    said = distml("devices", cards=[rtx_3090()], lines=["error nvmlInitWithFlags 18"])
    assert said.returncode == 1
    assert said.stdout.splitlines() == [
        f"{NODE}: NVML does not start: driver and library differ in version: was the driver updated?"
    ]


def test_a_lost_card_stands_under_those_that_work(distml):
    said = distml("devices", cards=[rtx_3090("GPU-a"), rtx_3090("GPU-b", "error * 15")])
    assert said.returncode == 1
    assert said.stdout.splitlines()[-1] == f"{NODE}: gpu1: the GPU fell off the bus"
    assert "gpu0 RTX 3090" in said.stdout


def test_a_layout_by_measured_throughput_for_a_card_that_is_named(distml):
    said = distml("mig", "plan", "--card", "a100-40", "--throughput", "1g.5gb=10, 7g.40gb=38")
    assert said.returncode == 0
    lines = said.stdout.splitlines()
    assert lines[:2] == [
        "a100-40",
        "  7 x 1g.5gb: 70 together; next best 7g.40gb with 38; not measured: 1g.10gb, 2g.10gb, 3g.20gb, 4g.20gb",
    ]
    assert "sudo nvidia-smi mig -i INDEX -cgi " + ",".join(f"1g.5gb:{start}" for start in range(7)) + " -C" in lines
    configuration = yaml.safe_load(said.stdout.partition("# the same for mig-parted\n")[2])
    assert configuration["mig-configs"]["distml"][0]["mig-devices"] == {"1g.5gb": 7}


def test_a_layout_by_needs_for_the_cards_that_are_here(distml):
    cards = [rtx_3090(), a100("GPU-b"), a100("GPU-c"), h100("GPU-d")]
    plans = json.loads(distml("mig", "plan", "--needs", "4GiB,9GiB", "--format", "json", cards=cards).stdout)
    assert [(plan["card"], plan["indices"], plan["profiles"]) for plan in plans] == [
        ("a100-40", [1, 2], ["4g.20gb", "3g.20gb"]),
        ("h100-80", [3], ["4g.40gb", "3g.40gb"]),
    ]
    assert len(plans[0]["commands"]) == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--card", "a100-40"], "give either --throughput"),
        (["--card", "a100-40", "--needs", "4GiB", "--throughput", "1g.5gb=1"], "give either --throughput"),
        (["--card", "a400", "--needs", "4GiB"], "unknown card 'a400'."),
        (["--needs", "4GiB"], "NVIDIA GeForce RTX 3090: no MIG known of it; name a card with --card: a30,"),
        (["--card", "a30", "--needs", "4,x"], "mig plan has 2 mistakes:\n  --needs  '4' is not a size, like 4GiB\n"),
        (["--card", "a30", "--needs", "40GiB"], "needs 40 GiB; the largest slice of a30 has 23.25 GiB"),
        (["--card", "a30", "--throughput", "1g.6gb"], "mig plan has 1 mistake:\n  --throughput  '1g.6gb' is not"),
        (["--card", "a30", "--throughput", "9g.99gb=1"], "mig plan has 1 mistake:\n  --throughput  unknown profile"),
        (
            ["--card", "a30", "--throughput", "1g.6gb=10,1g.6gb=12,2g.12gb=0.0"],
            "mig plan has 2 mistakes:\n"
            "  --throughput  '1g.6gb=12': 1g.6gb is given twice, 10 before; keep one of them\n"
            "  --throughput  '2g.12gb=0.0': a throughput is above 0; leave out",
        ),
        (
            ["--card", "a30", "--needs", "4GiB,0 GiB"],
            "mig plan has 1 mistake:\n  --needs  '0 GiB': a need is above 0GiB; leave out what needs no slice\n",
        ),
    ],
)
def test_mistakes_in_what_is_asked_are_said_at_once(distml, arguments, said):
    answer = distml("mig", "plan", *arguments, cards=[rtx_3090()])
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(said)


def test_the_guides_commands_do_what_it_says(distml):
    commands = [line for line in GUIDE.read_text().splitlines() if line.startswith("distml ")]
    assert len(commands) == 4
    for command in commands:
        said = distml(*shlex.split(command, comments=True)[1:], cards=[a100("GPU-b", {0: "3g.20gb"})])
        assert said.returncode == 0
        assert ("sudo nvidia-smi mig -i" if "plan" in command else "3g.20gb") in said.stdout
