"""The files for KubeRay, held to the fields it knows and to what distml needs of them; no cluster is reached."""

import os
import re
import subprocess
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.cluster.kuberay import SCHEMAS

FOLDER = Path(__file__).parents[2] / "cluster" / "kubernetes"
STANDIN = Path(__file__).parent / "standin" / "bin"
FILES = {"RayCluster": FOLDER / "raycluster.yaml", "RayJob": FOLDER / "rayjob.yaml"}
COUNTED = re.compile(r"nvidia\.com/(gpu|mig-\d+g\.\d+gb)$")  # what KubeRay takes for GPUs; mig-1g.10gb.me is not
CRDS = os.environ.get("KUBERAY_CRDS")  # a folder with KubeRay's own ray.io_rayclusters.yaml and ray.io_rayjobs.yaml


def read(kind: str) -> dict[str, Any]:
    return yaml.safe_load(FILES[kind].read_text())


def pods() -> list[dict[str, Any]]:
    spec = read("RayCluster")["spec"]
    return [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


def test_there_are_these_files_and_no_others() -> None:
    assert sorted(FOLDER.iterdir()) == sorted(FILES.values())


@pytest.mark.parametrize("kind", FILES)
def test_kuberay_knows_every_field(kind: str) -> None:
    jsonschema.validate(read(kind), SCHEMAS[kind])
    wrong = deepcopy(read(kind))
    spec = wrong["spec"].get("rayClusterSpec", wrong["spec"])
    spec["workerGroupSpecs"][0]["replica"] = spec["workerGroupSpecs"][0].pop("replicas")
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate(wrong, SCHEMAS[kind])


@pytest.mark.skipif(CRDS is None, reason="KUBERAY_CRDS names no folder with KubeRay's definitions")
@pytest.mark.parametrize("kind", FILES)
def test_kuberays_own_definitions_take_it(kind: str) -> None:
    definition = yaml.load(
        (Path(CRDS or "") / f"ray.io_{kind.lower()}s.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    schema = next(one for one in definition["spec"]["versions"] if one["name"] == "v1")["schema"]["openAPIV3Schema"]
    jsonschema.validate(read(kind), schema)
    assert not list(unknown(read(kind), schema, ""))


def unknown(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    """Fields that Kubernetes would throw away."""
    if isinstance(value, list):
        return [field for item in value for field in unknown(item, schema["items"], path)]
    known = schema.get("properties")
    if not isinstance(value, dict) or known is None:
        return []
    here = [f"{path}.{name}" for name in value if name not in known]
    return here + [
        field for name in value if name in known for field in unknown(value[name], known[name], f"{path}.{name}")
    ]


def test_the_job_brings_the_same_cluster() -> None:
    assert read("RayJob")["spec"]["rayClusterSpec"] == read("RayCluster")["spec"]


def test_the_sweep_runs_on_the_cluster_it_is_in() -> None:
    assert read("RayJob")["spec"]["entrypoint"] == "distml sweep /shared/credit.yaml --address auto --runs /shared/runs"


def test_ray_is_the_one_that_distml_wants() -> None:
    assert read("RayCluster")["spec"]["rayVersion"] == version("ray")


def test_the_head_trains_nothing_and_nobody_joins_without_a_token() -> None:
    spec = read("RayCluster")["spec"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert spec["authOptions"] == {"mode": "token"}


def test_whole_gpus_and_slices_are_asked_for_by_names_that_kuberay_counts() -> None:
    taken = [
        {name for name in pod["containers"][0]["resources"]["limits"] if name.startswith("nvidia.com/")}
        for pod in pods()
    ]
    assert taken == [set(), {"nvidia.com/gpu"}, {"nvidia.com/mig-1g.10gb"}]
    assert all(COUNTED.match(name) for names in taken for name in names)
    for pod in pods():
        for container in pod["containers"]:
            assert container["resources"]["requests"] == container["resources"]["limits"]  # Kubernetes wants it of GPUs
            assert {mount["name"] for mount in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}


def test_a_worker_starts_as_a_node_of_distml(tmp_path: Path) -> None:
    for group in read("RayCluster")["spec"]["workerGroupSpecs"]:
        template = group["template"]
        assert template["metadata"]["annotations"] == {"ray.io/overwrite-container-cmd": "true"}
        container = template["spec"]["containers"][0]
        diary = tmp_path / group["groupName"]
        settings = {
            "PATH": f"{STANDIN}:{os.environ['PATH']}", "DIARY": str(diary), "SLURMD_NODENAME": "pod",
            "FQ_RAY_IP": "distml-head-svc.default.svc.cluster.local",  # which KubeRay sets
            **{variable["name"]: "10.42.0.7" for variable in container["env"]},
        }  # fmt: skip
        args = [arg.replace("ulimit -n 65536;", "") for arg in container["args"]]  # more than may be allowed here
        subprocess.run([*container["command"], *args], env=settings, check=True)
        assert diary.read_text() == (
            "pod: distml node start --address distml-head-svc.default.svc.cluster.local:6379 --host 10.42.0.7 --block\n"
        )
        for probe in ("readinessProbe", "livenessProbe"):
            *shell, line = container[probe]["exec"]["command"]
            alive, gone = (
                subprocess.run([*shell, line.replace("raylet", name)], check=False)
                for name in ("bash", "no-such-thing")
            )
            assert (alive.returncode, gone.returncode) == (0, 1)
