"""What the files of cluster/ tell machines to do, asked of distml itself: it knows each option, and would start Ray."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from distml.cli import app
from distml.hardware.parts import Part
from distml.sweep.node import Request, commands
from tests.sweep.clusters import rtx_3090s

FOLDER = Path(__file__).parents[2] / "cluster"
VALUES = {
    "FQ_RAY_IP": "distml-head-svc.default.svc.cluster.local", "POD_IP": "10.42.0.7", "DISTML_HEAD": "10.0.0.5:6379",
    "DISTML_HOST": "10.0.0.6", "RAY_HEAD_IP": "192.0.2.10",
}  # fmt: skip
FILES = ("systemd/distml-head.service", "systemd/distml-node.service", "on-premises/cluster.yaml", "README.md")


def starts() -> list[str]:
    """Each `distml node start` with the values that its surroundings would give."""
    text = [(FOLDER / name).read_text().replace("\n    --host", " --host") for name in FILES]
    text += (Path(__file__).parent / "slurm.golden").read_text().splitlines()
    for group in yaml.safe_load((FOLDER / "kubernetes" / "raycluster.yaml").read_text())["spec"]["workerGroupSpecs"]:
        text += group["template"]["spec"]["containers"][0]["args"]
    commands = re.findall(r"distml (node start --[^`\n]*)", "\n".join(text))
    filled = []
    for command in commands:
        command = re.sub(r'"\$\(ip .*\)"', "192.0.2.11", command).split("#")[0]
        filled.append(re.sub(r"\$\{?(\w+)\}?", lambda found: VALUES[found[1]], command).strip())
    return sorted(set(filled))


def test_there_are_some_of_each_file() -> None:
    assert len(starts()) >= 8


@pytest.mark.parametrize("command", starts())
def test_distml_would_start_a_node(command: str) -> None:
    arguments = shlex.split(command)
    done = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "start --head" in done.output if "--head" in arguments else "start --address=" in done.output


def test_the_guides_ports_are_those_that_raylets_are_told() -> None:
    both = commands(Request(host="10.0.0.5"), [Part(2, rtx_3090s()), Part(2)], memory=2**34)
    told = {name: [found for one in both for found in re.findall(rf" --{name}=(\d+)", str(one))] for name in (
        "port", "min-worker-port", "max-worker-port", "dashboard-agent-listen-port", "dashboard-port",
    )}  # fmt: skip
    ports = re.findall(r"^   \| ([\d, .-]+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    workers = f"{told['min-worker-port'][0]}-{told['max-worker-port'][-1]}"
    agents = ", ".join([*told["dashboard-agent-listen-port"], "..."])
    assert ports == [*told["port"], workers, agents, *told["dashboard-port"]]
