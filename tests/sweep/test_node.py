"""How a machine joins a cluster: its commands, on machines that are not there, and what is refused."""

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from distml.errors import DistmlError, MistakesError
from distml.hardware import parts
from distml.hardware.devices import DeviceClass
from distml.hardware.parts import Part, parts_of
from distml.sweep import node
from distml.sweep.cluster import nodes_from
from distml.sweep.node import Request, check, commands, daemon_commands
from tests.sweep.clusters import rtx_3090s

GIB = 2**30


def options(arguments: tuple[str, ...]) -> dict[str, str]:
    return dict(argument.split("=", 1) for argument in arguments if argument.startswith("--") and "=" in argument)


def test_one_raylet_a_class_sees_its_devices_alone() -> None:
    cut = DeviceClass("1g.5gb", ("MIG-a", "MIG-b"), 4864, 14)
    parts = parts_of([rtx_3090s(), cut], cores=16)
    head, other, cores = commands(Request(name="ws"), parts, memory=16 * GIB)
    assert head.environment["CUDA_VISIBLE_DEVICES"] == "GPU-0,GPU-1"
    assert other.environment["CUDA_VISIBLE_DEVICES"] == "MIG-a,MIG-b"
    assert cores.environment["CUDA_VISIBLE_DEVICES"] == ""
    assert {one.environment["RAY_AUTH_MODE"] for one in (head, other, cores)} == {"token"}
    assert "--head" in head.arguments and "--port=6379" in head.arguments
    assert options(other.arguments)["--address"] == options(cores.arguments)["--address"] == "127.0.0.1:6379"
    given = options(other.arguments)
    assert (given["--num-gpus"], json.loads(given["--resources"])) == ("2", {"1g.5gb": 2})
    assert (options(cores.arguments)["--num-gpus"], options(cores.arguments)["--num-cpus"]) == ("0", "8")
    stores = [int(options(one.arguments)["--object-store-memory"]) for one in (head, other, cores)]
    memory = [int(options(one.arguments)["--memory"]) for one in (head, other, cores)]
    assert sum(stores) + sum(memory) <= 16 * GIB


def test_what_a_raylet_says_of_itself_is_what_a_driver_reads() -> None:
    (command,) = commands(Request(name="ws"), [Part(4, rtx_3090s())], memory=8 * GIB)
    given = options(command.arguments)
    labels = dict(pair.split("=") for pair in given["--labels"].split(","))
    has = {"CPU": float(given["--num-cpus"]), "GPU": float(given["--num-gpus"]), **json.loads(given["--resources"])}
    (read,) = nodes_from([{"Alive": True, "NodeManagerAddress": "x", "Resources": has, "Labels": labels}])
    assert (read.name, read.cpus, read.devices, read.apart) == ("ws", 4, rtx_3090s(), True)


def test_all_listens_on_loopback_unless_told_otherwise() -> None:
    (command,) = commands(Request(), [Part(2)], memory=8 * GIB)
    given = options(command.arguments)
    assert given["--node-ip-address"] == given["--dashboard-host"] == "127.0.0.1"
    request = Request(host="10.0.0.7", address="10.0.0.5:6379")
    both = commands(request, [Part(2, rtx_3090s()), Part(2)], memory=8 * GIB)
    assert {options(one.arguments)["--node-ip-address"] for one in both} == {"10.0.0.7"}
    ranges = [
        (int(options(one.arguments)["--min-worker-port"]), int(options(one.arguments)["--max-worker-port"]))
        for one in both
    ]
    assert [options(one.arguments)["--dashboard-agent-listen-port"] for one in both] == ["52365", "52366"]
    assert 10_002 <= ranges[0][0] < ranges[0][1] < ranges[1][0] < ranges[1][1] <= 19_999


def test_with_mps_whole_cards_have_a_daemon_and_slices_have_none() -> None:
    cut = DeviceClass("1g.5gb", ("MIG-a", "MIG-b"), 4864, 14)
    parts = parts_of([rtx_3090s(), cut], cores=16)
    request = Request(name="ws", mps=True)
    private, start = daemon_commands(request, parts)
    whole, slices, cores = commands(request, parts, memory=16 * GIB)
    pipes = whole.environment["CUDA_MPS_PIPE_DIRECTORY"]
    assert "CUDA_MPS_PIPE_DIRECTORY" not in {*slices.environment, *cores.environment}
    assert private.startswith("install -d -m 700 ") and private.split()[-2] == pipes
    assert start.startswith(f"env CUDA_VISIBLE_DEVICES=GPU-0,GPU-1 CUDA_MPS_PIPE_DIRECTORY={pipes} ")
    assert start.endswith(" nvidia-cuda-mps-control -d") and pipes.endswith("/ws-rtx-3090/pipe")
    assert daemon_commands(Request(name="ws"), parts) == []
    assert "CUDA_MPS_PIPE_DIRECTORY" not in commands(Request(name="ws"), parts, memory=16 * GIB)[0].environment
    with pytest.raises(DistmlError, match="only MIG slices, which the card itself keeps apart on this machine"):
        daemon_commands(request, parts_of([cut], cores=4))


def test_a_command_can_be_pasted_into_a_shell() -> None:
    (command,) = commands(Request(name="ws"), [Part(2, rtx_3090s())], memory=8 * GIB)
    words = shlex.split(str(command))
    assert words[0] == "env" and tuple(words[-len(command.arguments) :]) == command.arguments


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(address="10.0.0.5"), r"--address  '10.0.0.5' is not HOST:PORT, like 10.0.0.5:6379"),
        (Request(address="127.0.0.1:99999"), r"--address  '127.0.0.1:99999' is not HOST:PORT"),
        (Request(port=99999), r"--port  99999 is no port: 1 to 65535"),
        (Request(name="a b"), r"--name  'a b' is not a name"),
        (Request(address="10.0.0.5:6379"), r"--host  give this machine's own address, at which 10.0.0.5 reaches it"),
        (Request(address="127.0.0.1:1", host="10.0.0.5"), r"reached from its own machine alone"),
    ],
)
def test_mistakes(request_: Request, said: str) -> None:
    with pytest.raises(MistakesError, match=said):
        check(request_)


def distml(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    foreign = ("RAY_", "CUDA_", "XDG_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment = {**inherited, "HOME": str(folder), **more}
    return subprocess.run(
        [Path(sys.executable).with_name("distml"), *arguments],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_command_line_prints_and_refuses(tmp_path: Path) -> None:
    shown = distml(tmp_path, "node", "start", "--head", "--dry-run", "--cpus", "3")
    assert shown.returncode == 0
    assert re.match(r"env CUDA_VISIBLE_DEVICES= .* start --head --port=6379 .*--num-cpus=3 --num-gpus=0", shown.stdout)
    assert list(tmp_path.rglob("*token*")) == []
    alone = distml(tmp_path, "node", "start", "--head", "--mps")
    assert (alone.returncode, "--mps: no GPU on this machine; start without --mps" in alone.stderr) == (2, True)
    assert not (tmp_path / ".ray").exists()
    neither = distml(tmp_path, "node", "start")
    assert (neither.returncode, "give either --head" in neither.stderr) == (2, True)
    alone = distml(tmp_path, "node", "start", "--address", "127.0.0.1:1")
    assert (alone.returncode, "there is no token in" in alone.stderr) == (2, True)
    assert "nothing runs here" in distml(tmp_path, "node", "stop").stdout


def test_a_head_that_is_not_there_is_said_at_once_and_a_token_is_its_owners(tmp_path: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("0" * 64)
    token.chmod(0o644)
    for command in (("node", "start"), ("devices",)):
        said = distml(tmp_path, *command, "--address", "127.0.0.1:1")
        assert (said.returncode, "nobody answers at 127.0.0.1:1 (Connection refused)" in said.stderr) == (2, True), said
    assert token.stat().st_mode & 0o777 == 0o600


def test_of_two_starts_at_once_the_second_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[str] = []

    def again(*_: object) -> None:
        with pytest.raises(DistmlError, match="ws is being started by another process") as error:
            node.start(Request(name="ws"), [Part(1)])
        refused.append(str(error.value))
        raise DistmlError("enough")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(node, "_ensure_token", again)
    for _ in range(2):  # the lock goes with who held it
        with pytest.raises(DistmlError, match="enough"):
            node.start(Request(name="ws"), [Part(1)])
    assert len(refused) == 2


def test_cuda_visible_devices_that_names_nothing_is_refused(tmp_path: Path) -> None:
    shown = distml(tmp_path, "node", "start", "--head", "--dry-run", CUDA_VISIBLE_DEVICES="GPU-x")
    assert (shown.returncode, "CUDA_VISIBLE_DEVICES is 'GPU-x'" in shown.stderr) == (2, True)
    assert distml(tmp_path, "node", "start", "--head", "--dry-run", CUDA_VISIBLE_DEVICES="").returncode == 0


def test_devices_that_the_variable_leaves_out_are_left_out() -> None:
    from distml.hardware.devices import Device, Inventory
    from distml.hardware.parts import narrowed

    cards = tuple(Device(number, f"GPU-{number}", "RTX 3090", 24_576, 82, None) for number in range(2))
    inventory = Inventory(cards)
    for visible in ("1", "GPU-1"):
        assert narrowed([rtx_3090s()], inventory, visible)[0].uuids == ("GPU-1",)
    assert narrowed([rtx_3090s()], inventory, "1,-1,0")[0].uuids == ("GPU-1",)  # as CUDA reads it
    assert narrowed([rtx_3090s()], inventory, "") == narrowed([rtx_3090s()], inventory, "-1") == ()
    assert narrowed([rtx_3090s()], inventory, None) == (rtx_3090s(),)
    with pytest.raises(DistmlError, match="'GPU-' is not one usable device"):
        narrowed([rtx_3090s()], inventory, "GPU-")


ROOT = Path(__file__).parents[2]


def test_the_guide_to_a_cluster_by_hand_does_what_it_says(tmp_path: Path) -> None:
    guide = (ROOT / "cluster" / "local" / "README.md").read_text()
    commands = [line for line in guide.splitlines() if line.startswith("distml node start")]
    assert len(commands) == 2
    (tmp_path / ".ray").mkdir()
    for command in commands:
        words = shlex.split(command, comments=True)[1:]
        shown = distml(tmp_path, *words, "--dry-run")
        assert shown.returncode == 0, shown.stderr
        assert f"--node-ip-address={words[-1]}" in shown.stdout


def test_the_guides_sweep_has_no_mistakes(tmp_path: Path) -> None:
    file = ROOT / "cluster" / "local" / "sweep.yaml"
    assert "no mistakes" in distml(tmp_path, "validate", str(file), "--runs", str(tmp_path)).stdout


def test_examples() -> None:
    assert doctest.testmod(parts).attempted == 4
    assert doctest.testmod(parts).failed == 0
