"""What the files of cluster/ tell machines to do, asked of distml itself: it knows each option, and would start Ray."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from distml.cli import app

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
