from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from distml.training import processor as machine
from distml.training.processor import openblas_environment
from distml.training.products import numpy_is_quicker, product

ZEN = "vendor_id : AuthenticAMD\nflags : fpu avx512f avx512dq avx512bw avx512vl\n\nvendor_id : AuthenticAMD\n"


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The file that tells about the processor; absent until a test writes it."""
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    machine.processor_text.cache_clear()
    yield tmp_path / "cpuinfo"
    machine.processor_text.cache_clear()


@pytest.mark.parametrize("by_numpy", [True, False])
def test_a_product_goes_to_its_place_each_time(by_numpy: bool) -> None:
    a, b = torch.randn(3, 4, 5), torch.randn(3, 6, 5).transpose(1, 2)
    whole = torch.ones(3, 4, 7)
    multiply = product(a, b, whole[..., :6], by_numpy)
    for _ in range(2):
        multiply()
        torch.testing.assert_close(whole[..., :6], a @ b)
        a.mul_(2)
    assert bool((whole[..., 6] == 1).all())


def test_avx512_of_amd_is_asked_for_once(processor: Path) -> None:
    processor.write_text(ZEN)
    assert openblas_environment({}) == {"OPENBLAS_CORETYPE": "SKYLAKEX"}
    assert openblas_environment({"OPENBLAS_CORETYPE": "ZEN"}) == {}


@pytest.mark.parametrize(
    "text", ["vendor_id : AuthenticAMD\nflags : avx2", ZEN.replace("AuthenticAMD", "GenuineIntel")]
)
def test_other_processors_are_left_to_openblas(processor: Path, text: str) -> None:
    processor.write_text(text)
    assert openblas_environment({}) == {}


def test_where_the_system_does_not_tell_nothing_is_assumed(processor: Path) -> None:
    assert openblas_environment({}) == {}


@pytest.mark.parametrize(("device", "threads", "expected"), [("cpu", 1, True), ("cpu", 2, False), ("cuda", 1, False)])
def test_numpy_multiplies_where_it_is_quicker(processor: Path, device: str, threads: int, expected: bool) -> None:
    processor.write_text(ZEN)
    assert numpy_is_quicker(device, threads)[0] is expected


def test_mkl_multiplies_on_intel(processor: Path) -> None:
    processor.write_text(ZEN.replace("AuthenticAMD", "GenuineIntel"))
    assert numpy_is_quicker("cpu", 1)[0] is False
