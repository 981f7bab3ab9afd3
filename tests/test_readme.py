"""The README does what it says: its sweep file, its commands, its links."""

import gzip
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's sweep file beside a small table with its columns."""
    place = tmp_path_factory.mktemp("reader")
    (place / "credit.yaml").write_text(blocks("yaml")[0])
    table = ROOT / "experiments" / "credit_default" / "credit_default_taiwan.csv.gz"
    with gzip.open(table, "rt") as file:
        header, *rows = [next(file) for _ in range(1501)]
    with gzip.open(place / "applications.csv.gz", "wt") as file:
        file.writelines([header.replace("target", "default"), *rows])
    return place


def distml(folder: Path, command: str, *more: str) -> str:
    name, *arguments = shlex.split(command.partition(" > ")[0], comments=True)
    assert name == "distml"
    program = Path(sys.executable).with_name("distml")
    done = subprocess.run([program, *arguments, *more], cwd=folder, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_every_command_runs_in_the_order_a_reader_would_try_them(folder: Path) -> None:
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("distml ")]
    assert len(commands) >= 6
    for command in commands:
        if command.startswith("distml sweep"):
            said = distml(folder, command, "--set", "budget.trials=9", "--set", "export=false")
            assert "holdout" in said
        else:
            assert distml(folder, command)


@pytest.mark.long  # on what the commands above left
def test_the_python_block_runs(folder: Path) -> None:
    lines = blocks("python")[0].splitlines()
    looks = [line for line in lines if "run_sweep" not in line]
    code = "\n".join(looks).replace("distml.load", "frame = distml.load") + "\nassert len(frame) == 9"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in sorted(set(re.findall(r"make ([a-z-]+)", README))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        if "://" not in link:
            assert (document.parent / link).exists(), link
