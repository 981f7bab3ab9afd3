"""One library and one process for all tests of the hardware."""

import pytest

from tests.hardware.standin import StandIn, build


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The folder of the stand-in for NVML."""
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def _machine(library, tmp_path_factory):
    standin = StandIn(library, tmp_path_factory.mktemp("machine") / "machine.txt")
    yield standin
    standin.close()


@pytest.fixture
def machine(_machine):
    """A machine that holds whatever cards a test says; none at first."""
    _machine.holds()
    return _machine
