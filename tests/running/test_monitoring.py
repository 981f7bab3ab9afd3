"""The dashboard's queries against a real Prometheus that scrapes a running sweep."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.running.command import ROOT, distml, rows, start
from tests.running.test_telemetry import card, has, library, sweep_on_gpu, wait_for

MONITORING = ROOT / "cluster" / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text())
QUERIES = {panel["title"]: panel["targets"][0]["expr"] for panel in DASHBOARD["panels"]}
QUERIES |= {f"{panel['title']} {target['refId']}": target["expr"] for panel in DASHBOARD["panels"]
            for target in panel["targets"][1:]}  # fmt: skip
__all__ = ["card", "library"]  # fixtures


def test_the_dashboard_asks_for_figures_that_sweeps_give() -> None:
    source = (ROOT / "distml" / "sweep" / "gauges.py").read_text()
    given = {f"ray_{name}" for name in re.findall(r'Gauge\("(\w+)"', source)}
    given |= {f"ray_{name}_total" for name in re.findall(r'Counter\("(\w+)"', source)}
    asked = {name for query in QUERIES.values() for name in re.findall(r"ray_\w+", query)}
    assert asked <= given
    told = (MONITORING / "README.md").read_text()
    assert all(name.removeprefix("ray_distml_") in told for name in given)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Any]:
    """Starts Prometheus with the configuration of cluster/monitoring, on the nodes of one Ray; gives its query."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed: apt-get install --no-install-recommends prometheus")
    running: list[subprocess.Popen[bytes]] = []

    def begin(nodes: Path) -> Any:
        port = free_port()
        configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        configuration["global"]["scrape_interval"] = "1s"
        (discovery,) = configuration["scrape_configs"][0]["file_sd_configs"]
        assert discovery["files"] == ["/tmp/ray/prom_metrics_service_discovery.json"]
        discovery["files"] = [str(nodes)]
        file = tmp_path / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration))
        arguments = [f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
        with (tmp_path / "prometheus.log").open("wb") as log:
            command = [program, *arguments, f"--web.listen-address=127.0.0.1:{port}"]
            running.append(subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"}))

        def ask(query: str) -> list[dict[str, Any]]:
            address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    return json.load(answer)["data"]["result"]
            except OSError:
                return []  # it is not up yet

        return ask

    yield begin
    for process in running:
        process.terminate()
        process.wait(timeout=30)


def rays_nodes(driver: int) -> Path | None:
    """The list of nodes that the Ray of a sweep's driver writes, once it is there."""
    for owner in Path(tempfile.gettempdir()).glob("distml-ray-*/driver.pid"):
        if owner.read_text().split()[:1] == [str(driver)]:
            nodes = owner.with_name("prom_metrics_service_discovery.json")
            return nodes if nodes.is_file() else None
    return None


def trials(ask: Any) -> dict[str, float]:
    """The trials that have a score in Prometheus."""
    found = ask(QUERIES["Trials"].replace("$sweep", "quick"))
    return {one["metric"]["trial"]: float(one["value"][1]) for one in found if one["metric"]["family"] == "diary"}


def agree(shown: dict[str, float], finished: dict[str, float]) -> bool:
    """Whether what is shown of finished trials is their scores on the leaderboard."""
    both = shown.keys() & finished
    return bool(both) and all(shown[trial] == pytest.approx(finished[trial]) for trial in both)


@pytest.mark.long
def test_every_panel_of_the_dashboard_has_data_while_a_sweep_runs(card: Path, tmp_path: Path, prometheus: Any) -> None:
    process = start(tmp_path, "sweep", str(sweep_on_gpu(tmp_path, 0.5, seconds=0.3, trials=400)))
    try:
        ask = prometheus(wait_for(lambda: rays_nodes(process.pid)))
        empty = {title: query.replace("$sweep", ".*").replace("$node", ".*") for title, query in QUERIES.items()}
        latest = time.monotonic() + 75
        while empty and time.monotonic() < latest:
            empty = {title: query for title, query in empty.items() if not ask(query)}
            time.sleep(1)
        assert not empty
        (watts,) = ask(QUERIES["Device power"].replace("$node", ".*"))
        assert float(watts["value"][1]) == 300.0
        assert watts["metric"]["device"] == "gpu0 RTX 3090"
        (best,) = ask(QUERIES["Best score"].replace("$sweep", "quick"))
        finished = {row["trial"]: row["score"] for row in rows(tmp_path) if row["state"] == "finished"}
        assert float(best["value"][1]) in [pytest.approx(score) for score in finished.values()]
        assert best["metric"]["metric"] == "roc_auc"
        joules = float(ask(QUERIES["Joules a trial"].replace("$sweep", "quick"))[0]["value"][1])
        assert 10 < joules < 10_000  # about a second of half of 300 W
        wait_for(lambda: agree(trials(ask), finished))
        energy = {one["metric"]["trial"]: float(one["value"][1]) for one in ask("ray_distml_trial_energy_joules")}
        assert any(energy[trial] > 10 for trial in energy.keys() & finished)
        shown = trials(ask)
        wait_for(lambda: set(shown) - set(trials(ask)), seconds=90)  # the worst of them leave as better ones come
        assert len(trials(ask)) <= 50
        has(card, "error * 15")  # it falls off the bus: a gap on the dashboard, neither 0 nor the last value
        wait_for(lambda: ask("ray_distml_node_memory_mib") and not ask("ray_distml_device_power_watts"))
    finally:
        distml(tmp_path, "stop", "quick", "--now")
        process.communicate(timeout=60)
