"""The command line as users call it: real processes on made-up runs."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from distml import cli
from distml.sweep.lifeline import ClusterLostError, epitaph
from distml.sweep.runs import RunFolder
from tests.report.sweeps import CLOSED, EVENTS, OPENED, WINNER, asked, ended, write_sweep

DISTML = Path(sys.executable).with_name("distml")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a finished sweep and one that was interrupted."""
    folder = tmp_path_factory.mktemp("runs")
    write_sweep(folder, WINNER, CLOSED)
    write_sweep(folder, name="night-run")
    return folder


def distml(*arguments, **settings):
    """What one call of the command gives back."""
    command = [DISTML, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, **settings)


def imported_by(modules, *arguments):
    """Which of the modules one call of the command imports, and what it printed."""
    code = (
        f"import sys; from distml import cli; sys.argv = ['distml', *{[str(one) for one in arguments]!r}]\n"
        "try: cli.main()\n"
        f"finally: print([name for name in {modules!r} if name in sys.modules], file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    return said.stderr.strip(), said.stdout


def test_help_imports_nothing_heavy():
    imported, said = imported_by(["ray", "torch", "sklearn", "pandas", "numpy", "rich", "pydantic"], "--help")
    assert imported == "[]"
    for command in (
        "sweep",
        "validate",
        "plan",
        "schema",
        "list",
        "status",
        "stop",
        "leaderboard",
        "show",
        "rerun",
        "export",
        "predict",
    ):
        assert f"  {command} " in said


@pytest.mark.parametrize("arguments", [["list"], ["leaderboard", "credit"], ["show", "credit"], ["status", "credit"]])
def test_reading_a_sweep_does_not_wait_for_ray_or_scikit_learn(runs, arguments):
    imported, said = imported_by(["ray", "torch", "sklearn", "pandas"], *arguments, "--runs", runs)
    assert imported == "[]"
    assert "credit" in said or "t0002" in said


def test_the_leaderboard_in_all_formats(runs):
    as_json = json.loads(distml("leaderboard", "credit", "--runs", runs, "--format", "json").stdout)
    as_csv = list(
        csv.DictReader(io.StringIO(distml("leaderboard", "credit", "--runs", runs, "--format", "csv").stdout))
    )
    as_table = distml("leaderboard", "credit", "--runs", runs).stdout.splitlines()
    names = [row["trial"] for row in as_json]
    assert names == ["t0002", "t0001", "t0003", "t0006", "t0007", "t0005", "t0004"]
    assert [row["trial"] for row in as_csv] == names
    assert [line.split()[1] for line in as_table[1:]] == names
    assert all(line == line.rstrip() and "\x1b" not in line for line in as_table)


def test_the_list_in_all_formats(runs):
    as_json = json.loads(distml("list", "--runs", runs, "--format", "json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(distml("list", "--runs", runs, "--format", "csv").stdout)))
    assert {row["name"]: row["state"] for row in as_json} == {"credit": "finished", "night-run": "interrupted"}
    assert {row["name"]: row["state"] for row in as_csv} == {"credit": "finished", "night-run": "interrupted"}
    assert "night-run   interrupted" in distml("list", "--runs", runs).stdout


def test_an_empty_list_is_an_empty_list(tmp_path):
    assert json.loads(distml("list", "--runs", tmp_path, "--format", "json").stdout) == []
    nothing = distml("list", "--runs", tmp_path)
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "distml sweep FILE" in nothing.stderr


def test_show_and_status_as_json(runs):
    assert json.loads(distml("show", "credit", "--runs", runs, "--format", "json").stdout)["winner"] == "t0002"
    trial = json.loads(distml("show", "credit", "t0004", "--runs", runs, "--format", "json").stdout)
    assert trial["failure"]["class"] == "code"
    status = json.loads(distml("status", "night-run", "--runs", runs, "--format", "json").stdout)
    assert status["state"] == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["leaderboard", "crdit"], "Did you mean 'credit'?"),
        (["show", "credit", "t0044"], "has no trial 't0044'"),
        (["status", "../credit"], "no sweep '../credit'"),
        (["leaderboard", "credit", "--format", "xml"], "--format"),
        (["leaderbord", "credit"], "Did you mean 'leaderboard'?"),
        (["sweep", "missing.yaml"], "there is no file missing.yaml"),
        (["validate", "missing.yaml"], "there is no file missing.yaml"),
        (["stop", "nobody"], "no sweep 'nobody'"),
        (["rerun", "credit", "t0099"], "has no trial 't0099'"),
    ],
)
def test_the_users_mistakes_exit_2_on_standard_error_without_a_traceback(runs, arguments, said):
    answer = distml(*arguments, "--runs", runs)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["validate", "missing.yaml", "--debug"], "there is no file missing.yaml"),
        (["--debug", "status", "missing"], "missing"),
    ],
)
def test_debug_shows_the_traceback_wherever_it_stands(runs, arguments, said):
    answer = distml(*arguments, "--runs", runs)
    assert "Traceback (most recent call last)" in answer.stderr
    assert said in answer.stderr


def test_the_schema_is_a_json_schema():
    schema = json.loads(distml("schema").stdout)
    assert {"name", "data", "families", "budget"} <= set(schema["properties"])


def test_a_closed_pipe_is_quiet(tmp_path):
    events = [OPENED, *(asked(number, "bagging", {"trees": number}) for number in range(1, 3000))]
    write_sweep(tmp_path, events=events)
    for more in ([], ["--format", "csv"], ["--format", "json"]):
        process = subprocess.Popen(
            [DISTML, "leaderboard", "credit", "--runs", tmp_path, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr is not None
        complaints = process.stderr.read()
        process.stderr.close()
        process.wait(60)
        assert complaints == b""


def test_a_terminal_that_knows_only_ascii_gets_an_answer(runs):
    answer = distml("leaderboard", "credit", "--runs", runs, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert answer.returncode == 0
    assert "0.7900 ? 0.0100" in answer.stdout


def test_stop_asks_the_driver_and_says_so_where_there_is_none(tmp_path):
    folder = write_sweep(tmp_path)
    assert "not running" in distml("stop", "credit", "--runs", tmp_path).stdout
    assert folder.stop_request() is None
    with folder.writer():
        said = distml("stop", "credit", "--runs", tmp_path)
        assert folder.stop_request() == "finish"
        assert f"process {os.getpid()} on " in said.stdout
        distml("stop", "credit", "--now", "--runs", tmp_path)
        assert folder.stop_request() == "now"


def test_status_sees_a_living_driver(tmp_path):
    folder = write_sweep(tmp_path)
    with folder.writer():
        assert (
            json.loads(distml("status", "credit", "--runs", tmp_path, "--format", "json").stdout)["state"] == "running"
        )


class TestSweep:
    """What `distml sweep` makes of the way a sweep ended; the sweep itself is made up."""

    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("credit.yaml").write_text("name: credit\ndata: {source: credit.csv, target: default}\nexport: false\n")
        monkeypatch.setattr(sys, "argv", ["distml", "sweep", "credit.yaml"])

    def run(self, monkeypatch, ending, state):
        """The exit code of a sweep that writes these events and ends in this state."""

        def made_up(spec, *, runs, watcher, **_):
            self.folder = ending and write_sweep(runs, *ending, events=[])
            if isinstance(state, BaseException):
                raise state
            return SimpleNamespace(name=spec.name, folder=RunFolder(runs, spec.name).path, state=state, checked=None)

        monkeypatch.setattr("distml.sweep.run.run_sweep", made_up)
        with pytest.raises(SystemExit) as ended_with:
            cli.main()
        return ended_with.value.code

    def test_done_shows_the_leaderboard_the_holdout_and_the_next_step(self, monkeypatch, capsys):
        assert self.run(monkeypatch, [*EVENTS, WINNER, CLOSED], "done") == 0
        said = capsys.readouterr().out
        assert "1   t0002   random-forest     finished   0.7900 ± 0.0100" in said
        assert "holdout (6,000 rows, touched once)   t0002: roc_auc 0.7843, brier 0.1340" in said
        assert "next: distml report credit" in said

    def test_a_scorer_that_cannot_be_made_does_not_lose_the_sweep(self, monkeypatch, capsys):
        Path("credit.yaml").write_text("name: credit\ndata: {source: credit.csv, target: default}\n")
        assert self.run(monkeypatch, [*EVENTS, WINNER, CLOSED], "done") == 0
        told = capsys.readouterr()
        assert "next: distml report credit" in told.out
        assert "no scorer was made: credit has 1 mistake" in told.err
        assert "to try again: distml export credit" in told.err

    def test_nothing_exits_1_with_the_causes(self, monkeypatch, capsys):
        failure = {"kind": "memory", "error": "MemoryError", "traceback": "", "node": "", "log": ""}
        ending = [OPENED, asked(1, "bagging", {"trees": 1}), ended(1, "failed", failure=failure), CLOSED]
        assert self.run(monkeypatch, ending, "nothing") == 1
        assert "memory: MemoryError   see: distml show credit t0001" in capsys.readouterr().err

    def test_interrupted_exits_130_and_says_how_to_go_on(self, monkeypatch, capsys):
        assert self.run(monkeypatch, EVENTS, "interrupted") == 130
        assert "interrupted; go on with: distml sweep credit.yaml" in capsys.readouterr().err

    def test_ctrl_c_before_anything_trained_exits_130(self, monkeypatch, capsys):
        assert self.run(monkeypatch, None, KeyboardInterrupt()) == 130
        assert "go on with: distml sweep credit.yaml" in capsys.readouterr().err

    def test_stopped_as_asked_is_good(self, monkeypatch, capsys):
        assert self.run(monkeypatch, [*EVENTS, WINNER, {**CLOSED, "reason": "stopped"}], "stopped") == 0
        assert "stopped; go on with: distml sweep credit.yaml" in capsys.readouterr().err

    def test_a_cluster_that_died_exits_1_with_its_paragraph_alone(self, monkeypatch, capsys):
        why = epitaph("head", "10.0.0.5:6379", is_local=False)
        assert self.run(monkeypatch, None, ClusterLostError(why)) == 1
        assert capsys.readouterr().err == f"{why}\n"

    def test_a_fault_of_distml_exits_1_and_points_at_debug(self, monkeypatch, capsys):
        assert self.run(monkeypatch, None, RuntimeError("lost my way")) == 1
        said = capsys.readouterr().err
        assert "a fault in distml itself: RuntimeError: lost my way" in said
        assert "--debug" in said
        assert "Traceback" not in said
