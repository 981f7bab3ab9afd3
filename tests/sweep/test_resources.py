"""Resources that no node has are said before anything trains, each with what there is."""

import pytest

from distml.errors import MistakesError
from distml.sweep.cluster import Cluster, Node
from distml.sweep.resources import check_resources
from distml.sweep.spec import SweepSpec
from tests.sweep.clusters import mixed, rtx_3090s


def said(cluster: Cluster, **resources: object) -> str:
    spec = SweepSpec(
        name="credit", data={"source": "t.csv", "target": "y"}, families=["naive-bayes"], resources=resources
    )
    with pytest.raises(MistakesError) as raised:
        check_resources(spec, cluster)
    assert [mistake.where for mistake in raised.value.mistakes] == [f"resources.{next(iter(resources))}"]
    return raised.value.mistakes[0].what


@pytest.mark.parametrize(
    ("gpu", "what"),
    [
        ("mig:9g.99gb", "no slice here is '9g.99gb'; there are mig:1g.5gb, mig:2g.10gb, mig:3g.20gb, or use mig:any"),
        ("mig:1g.10gb", "no slice here is '1g.10gb'; there are mig:1g.5gb"),
        ("80GiB", "'80GiB' is more than any device has (rtx-3090 24.0 GiB, 3g.20gb 19.5 GiB, 2g.10gb 9.8 GiB, 1g.5gb"),
        (4, "4 GPUs for one cohort; no node has more than 2 whole cards alike"),
    ],
)
def test_what_no_device_is(gpu: str | float, what: str) -> None:
    assert said(mixed(), gpu=gpu).startswith(what)


def test_what_a_machine_without_a_gpu_or_without_slices_lacks() -> None:
    assert said(Cluster((Node("a", 2),)), gpu=0.5) == "0.5, but there is no GPU here; use auto or none"
    assert said(Cluster((Node("a", 2, rtx_3090s()),)), gpu="mig:any").startswith("'mig:any', but no card here is cut")


def test_cores_that_no_node_has() -> None:
    assert said(mixed(), cpu=64) == "64 CPUs; no node has more than 4"
    assert said(Cluster((Node("a", 2),)), cpu=3) == "3 CPUs; there are 2"


def test_cores_and_a_device_that_no_one_node_has_together() -> None:
    families = {"naive-bayes": {"resources": {"cpu": 3, "gpu": "mig:any"}}, "bagging": {}}
    spec = SweepSpec(name="credit", data={"source": "t.csv", "target": "y"}, families=families)
    with pytest.raises(MistakesError, match="nodes with such a device have at most 2 CPUs"):
        check_resources(spec, mixed())


@pytest.mark.parametrize("gpu", ["auto", "none", "mig:any", "mig:2g.10gb", "6GiB", 0.25, 1, 2])
def test_what_is_there_passes(gpu: str | float) -> None:
    check_resources(SweepSpec(name="c", data={"source": "t.csv", "target": "y"}, resources={"gpu": gpu}), mixed())
