"""What the doctor says of each machine of a cluster, by what it answered."""

from dataclasses import replace
from pathlib import Path

from distml.hardware.devices import Inventory
from distml.report.cluster import findings_of
from distml.sweep.machines import Facts, Heard

VERSIONS = {
    "ray": "2.60.0", "torch": "2.13.0", "distml": "0.1.0", "scikit-learn": "1.9.0", "numpy": "2.4.0", "pandas": "3.0.0",
}  # fmt: skip
HERE = Facts("3.11.7", VERSIONS, 1000.0, 50 * 2**30, True, "", Inventory(reason="no NVML: a CPU node"), 8 * 2**30)


def verdicts(answer: Facts | None, error: str = "") -> dict[str, tuple[str, str, str]]:
    heard = Heard("node3", answer, error, asked=(1000.0, 1003.0))
    found = findings_of(heard, HERE, Path("/shared/runs"))
    return {finding.subject: (finding.verdict, finding.found, finding.advice) for finding in found}


def test_a_machine_like_this_one_is_good() -> None:
    found = verdicts(replace(HERE, clock=1001.0))
    assert {verdict for verdict, _, _ in found.values()} == {"good"}
    assert found["node3 versions"][1] == (
        "python 3.11.7, ray 2.60.0, torch 2.13.0, distml 0.1.0, scikit-learn 1.9.0, numpy 2.4.0, pandas 3.0.0"
    )
    assert found["node3 clock"][1] == "agrees within 3 s"


def test_what_differs_is_said_with_what_to_do() -> None:
    found = verdicts(
        replace(HERE, python="3.12.1", versions={**VERSIONS, "torch": ""}, clock=940.0, sees=False, disk_free=None)
    )
    assert found["node3 versions"][0] == "mend"
    assert "torch missing" in found["node3 versions"][1]
    assert found["node3 versions"][2] == "this machine has python 3.11.7, torch 2.13.0: install the same on both"
    assert found["node3 storage"][0] == "mend" and "--runs DIR" in found["node3 storage"][2]
    assert found["node3 clock"][:2] == ("mind", "60 s behind")
    assert verdicts(replace(HERE, clock=1010.0))["node3 clock"][:2] == ("mind", "7 s ahead")


def test_other_versions_of_what_trains_forests_are_said() -> None:
    found = verdicts(replace(HERE, versions={**VERSIONS, "scikit-learn": "1.8.1", "numpy": "2.3.5"}))
    assert found["node3 versions"][0] == "mend"
    assert found["node3 versions"][2] == "this machine has scikit-learn 1.9.0, numpy 2.4.0: install the same on both"


def test_an_older_distml_that_tells_of_fewer_packages_is_said() -> None:
    fewer = {name: VERSIONS[name] for name in ("ray", "torch")}
    found = verdicts(replace(HERE, versions={**fewer, "distml": "0.0.9"}))
    assert found["node3 versions"][0] == "mend" and "numpy missing" in found["node3 versions"][1]


def test_a_machine_that_cannot_write_or_does_not_answer() -> None:
    assert (
        "cannot be written: Read-only file system"
        in verdicts(replace(HERE, writes="Read-only file system"))["node3 storage"][1]
    )
    assert verdicts(None, "no answer in 60 s")["node3"][:2] == ("mend", "no answer in 60 s")
