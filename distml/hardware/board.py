"""What a card is allowed to do: its highest clocks, its power cap, the CUDA of its driver."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from distml.hardware.nvml import DeviceLostError, Nvml, NvmlUnavailableError


@dataclass(frozen=True)
class BoardFacts:
    """Of a whole card. What NVML does not tell is None, and `missing` says why."""

    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    power_cap_w: float | None = None
    cuda: str | None = None  # the newest that the driver runs: '12.8'
    missing: Mapping[str, str] = field(default_factory=dict)


def board_facts(card: str) -> BoardFacts:
    """Ask NVML once about a card, by its UUID. Raises nothing."""
    try:
        nvml = Nvml()
    except NvmlUnavailableError as error:
        return _unknown(error.reason)
    missing: dict[str, str] = {}
    try:
        handle = nvml.ask(missing, "card", "nvmlDeviceGetHandleByUUID", card)
        if handle is None:
            return _unknown(missing["card"])
        lib = nvml.lib
        version = nvml.ask(missing, "cuda", "nvmlSystemGetCudaDriverVersion_v2", older="nvmlSystemGetCudaDriverVersion")
        milliwatts = nvml.ask(missing, "power_cap_w", "nvmlDeviceGetEnforcedPowerLimit", handle)
        return BoardFacts(
            nvml.ask(missing, "sm_clock_mhz", "nvmlDeviceGetMaxClockInfo", handle, lib.NVML_CLOCK_SM),
            nvml.ask(missing, "memory_clock_mhz", "nvmlDeviceGetMaxClockInfo", handle, lib.NVML_CLOCK_MEM),
            None if milliwatts is None else milliwatts / 1000,
            None if version is None else f"{version // 1000}.{version % 1000 // 10}",
            missing,
        )
    except (NvmlUnavailableError, DeviceLostError) as error:
        return _unknown(str(error))
    finally:
        nvml.close()


def _unknown(reason: str) -> BoardFacts:
    return BoardFacts(missing=dict.fromkeys(("sm_clock_mhz", "memory_clock_mhz", "power_cap_w", "cuda"), reason))
