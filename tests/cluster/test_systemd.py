"""The units, read by systemd itself where it is there."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "cluster" / "systemd"
COMMANDS = {
    "distml-head.service": "/opt/distml/bin/distml node start --head --host ${DISTML_HOST} --block",
    "distml-node.service": "/opt/distml/bin/distml node start --address ${DISTML_HEAD} --host ${DISTML_HOST} --block",
}
UNITS = [FOLDER / name for name in COMMANDS]


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd minds capitals
    parser.read_string(unit.read_text())
    return parser


def test_there_is_one_for_the_head_and_one_for_the_others() -> None:
    assert sorted(FOLDER.glob("*.*")) == UNITS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.parametrize("mistake", ["", "Restart=sometimes\n"])
def test_systemd_finds_nothing_wrong_but_what_is(unit: Path, mistake: str, tmp_path: Path) -> None:
    program = "/opt/distml/bin/distml"
    assert program in unit.read_text()
    here = tmp_path / unit.name
    content = unit.read_text().replace(program, "/bin/true")  # systemd looks whether it is there
    here.write_text(content.replace("[Service]\n", f"[Service]\n{mistake}"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if str(here) in line or line.startswith(unit.name)]
    assert bool(complaints) == bool(mistake), done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_starts_and_stops_a_node_is_no_root_service_and_comes_back(unit: Path) -> None:
    service = read(unit)["Service"]
    assert service["ExecStart"] == COMMANDS[unit.name]
    assert service["ExecStop"] == "/opt/distml/bin/distml node stop"
    assert service["User"] not in ("root", "")
    assert service["Restart"] == "on-failure"
    assert int(service["LimitNOFILE"]) >= 65536
    assert read(unit)["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_it_reads_from_the_environment_is_what_it_says_to_write_there(unit: Path) -> None:
    used = set(re.findall(r"\$\{(\w+)\}", read(unit)["Service"]["ExecStart"]))
    said = next(line for line in unit.read_text().splitlines() if "tee /etc/distml.env" in line)
    assert set(re.findall(r"(\w+)=\S", said)) == used
    assert read(unit)["Service"]["EnvironmentFile"] == "/etc/distml.env"
