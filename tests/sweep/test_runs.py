import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from distml.errors import DistmlError
from distml.sweep.guard import SweepHeldError
from distml.sweep.journal import Journal
from distml.sweep.runs import RunFolder, find_run, list_runs


def run(root: Path, name: str) -> RunFolder:
    folder = RunFolder(root, name)
    with folder.writer() as may_write, Journal(folder.journal, may_write) as journal:
        journal.append({"event": "opened", "spec": {}})
    return folder


def test_a_writer_finds_everything_in_its_place(tmp_path) -> None:
    folder = RunFolder(tmp_path / "runs", "credit")
    with folder.writer() as may_write:
        may_write()
        assert folder.path == tmp_path / "runs" / "credit"
        assert folder.logs.is_dir() and folder.cohorts.is_dir()
        assert folder.checkpoint("c001").parent == folder.cohorts
        assert folder.driver is not None
    assert folder.driver is None


def test_the_second_writer_is_refused(tmp_path) -> None:
    folder = RunFolder(tmp_path, "credit")
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from distml.sweep.guard import SweepHeldError
        from distml.sweep.runs import RunFolder
        try:
            with RunFolder(Path(sys.argv[1]), "credit").writer():
                print("held")
        except SweepHeldError as error:
            print("refused")
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    with folder.writer():
        assert subprocess.check_output(command, text=True, timeout=60) == "refused\n"
    assert subprocess.check_output(command, text=True, timeout=60) == "held\n"


def test_a_request_to_stop_reaches_the_driver_and_is_forgotten_by_the_next(tmp_path) -> None:
    folder = RunFolder(tmp_path, "credit")
    with folder.writer():
        assert folder.stop_request() is None
        folder.ask_to_stop()
        assert folder.stop_request() == "finish"
        folder.ask_to_stop(now=True)
        assert folder.stop_request() == "now"
    with folder.writer():
        assert folder.stop_request() is None


def test_files_are_replaced_whole_and_nothing_is_left_over(tmp_path) -> None:
    folder = run(tmp_path, "credit")
    folder.write_sweep_file({"name": "crédit", "seed": 7})
    folder.write_sweep_file({"name": "crédit", "seed": 8})
    assert yaml.safe_load(folder.sweep_file.read_text(encoding="utf-8")) == {"name": "crédit", "seed": 8}
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"journal.jsonl", "sweep.yaml", "driver.1.json", "logs", "cohorts", "predictions"}


@pytest.mark.parametrize("root", ["file", "file/deeper", "/proc/nowhere", "/proc"])
def test_a_folder_that_cannot_be_written_says_why(tmp_path, root: str) -> None:
    (tmp_path / "file").write_text("in the way")
    said = r"cannot write to .*credit: .*\. Choose another folder with --runs"
    with pytest.raises(DistmlError, match=said), RunFolder(tmp_path / root, "credit").writer():
        pass


def test_a_file_in_the_place_of_the_runs_folder(tmp_path) -> None:
    (tmp_path / "credit").write_text("in the way")
    with pytest.raises(DistmlError, match="File exists"), RunFolder(tmp_path, "credit").writer():
        pass


def test_runs_are_the_folders_with_a_journal(tmp_path) -> None:
    run(tmp_path, "second")
    run(tmp_path, "first")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    assert [found.name for found in list_runs(tmp_path)] == ["first", "second"]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_is_found_by_name_or_the_nearest_is_named(tmp_path) -> None:
    run(tmp_path, "credit")
    assert find_run(tmp_path, "credit") == RunFolder(tmp_path, "credit")
    with pytest.raises(DistmlError, match=r"no sweep 'credt' in .* Did you mean 'credit'"):
        find_run(tmp_path, "credt")
    with pytest.raises(DistmlError, match="--runs"):
        find_run(tmp_path / "nowhere", "credit")


def test_a_driver_that_was_taken_over_writes_nothing_more(tmp_path) -> None:
    folder = RunFolder(tmp_path, "credit")
    with folder.writer() as may_write, Journal(folder.journal, may_write) as journal:
        journal.append({"event": "opened"})
        (folder.path / "driver.1.json").unlink()
        with pytest.raises(SweepHeldError):
            journal.append({"event": "closed"})
        assert [event["event"] for event in journal.events] == []
    assert folder.journal.read_text().count("\n") == 1
