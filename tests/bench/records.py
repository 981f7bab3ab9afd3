"""Made-up records for tests of what is done with them."""

from typing import Any

from distml.bench.record import ArmRecord, DeviceFacts, Machine, Made, Measured, Price, Repeat
from distml.bench.statistics import figure
from distml.bench.workload import QUICK


def arm(rates: list[float], way: str = "alone", processes: int = 1, members: int = 1, **more: Any) -> ArmRecord:
    """A measured arm with these trials an hour, repeat by repeat; power: watts."""
    power = more.pop("power", None)
    repeats = tuple(
        Repeat(seed=seed, trials=10, seconds=1.0, trials_per_hour=rate, power_w=power)
        for seed, rate in enumerate(rates)
    )
    given: dict[str, Any] = {
        "model": "scoring-network", "way": way, "processes": processes, "members": members, "batch": "fixed",
        "batch_size": 256, "name": f"{way} {processes} x {members}", "state": "measured", "repeats": repeats,
        "trials_per_hour": figure(rates), "samples_per_second": figure([rate * 12_000 / 3600 for rate in rates]),
    }  # fmt: skip
    return ArmRecord(**{**given, **more})


def record(
    *arms: ArmRecord, device: str | None = None, memory_mib: int = 24_576, price: Any = None, **more: Any
) -> Measured:
    """A record of a machine; device: its card's name."""
    card = device and DeviceFacts(name=device, uuid=f"GPU-{device}", memory_mib=memory_mib)
    machine = Machine(
        identity="0123456789abcdef", label=device or "2 cores", system="Linux x86_64", processor="a processor", cores=2,
        memory_mib=8192, device=card or None, versions={"python": "3.11.7", "torch": "2.13.0"},
        price=price and Price(per_hour=price[0], currency=price[1], device="x"),
    )  # fmt: skip
    made = Made(
        date="2026-11-23T20:15:00+00:00", command="distml bench --quick", distml="0.1.0", git="0123456789ab",
        seconds=60.0, repeats=5, quick=True, complete=True,
    )  # fmt: skip
    given = {"made": made, "workload": QUICK, "machine": machine, "arms": arms, "start_seconds": figure([2.0] * 5)}
    return Measured(**{**given, **more})
