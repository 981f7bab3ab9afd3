"""The file for `ray up`, held to Ray's own schema and filled out as Ray fills it out; no machine is reached."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).parents[2] / "cluster" / "on-premises" / "cluster.yaml"


@pytest.fixture
def cluster() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())


def test_ray_takes_it(cluster: dict[str, Any]) -> None:
    filled = prepare_config(cluster)
    validate_config(filled)
    machines = filled["available_node_types"][filled["head_node_type"]]
    assert machines["min_workers"] == machines["max_workers"] == len(cluster["provider"]["worker_ips"])


def test_ray_refuses_what_it_does_not_know(cluster: dict[str, Any]) -> None:
    import jsonschema

    with pytest.raises(jsonschema.ValidationError, match="worker_start_commands"):
        validate_config(prepare_config({**cluster, "worker_start_commands": []}))


def test_the_head_starts_the_workers_and_every_machine_joins_with_its_devices(cluster: dict[str, Any]) -> None:
    head, worker = "\n".join(cluster["head_start_ray_commands"]), "\n".join(cluster["worker_start_ray_commands"])
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in head  # without it Ray starts no worker
    assert "--num-cpus=0 --num-gpus=0" in head
    address = cluster["provider"]["head_ip"]
    assert f"--node-ip-address={address} " in head
    assert f"distml node start --address {address}:6379 --host {address}" in head
    assert 'distml node start --address "$RAY_HEAD_IP:6379"' in worker  # which Ray sets for workers alone
    assert "~/.ray/auth_token" in cluster["file_mounts"]
    assert "RAY_AUTH_MODE=token" in head


def test_a_worker_says_from_which_address_it_reaches_the_head(cluster: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "ip").write_text('#!/bin/sh\necho "$4 dev eth0 src 192.0.2.11 uid 1000 \\    cache"\n')
    (tmp_path / "ip").chmod(0o755)
    command = cluster["worker_start_ray_commands"][-1].replace("/opt/distml/bin/distml", "echo")
    settings = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RAY_HEAD_IP": "192.0.2.10"}
    said = subprocess.run(["bash", "-c", command], env=settings, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "node start --address 192.0.2.10:6379 --host 192.0.2.11"


def test_addresses_are_those_that_are_kept_for_examples(cluster: dict[str, Any]) -> None:
    addresses = re.findall(r"\d+\.\d+\.\d+\.\d+", FILE.read_text())
    assert addresses and all(address.startswith("192.0.2.") for address in addresses)
