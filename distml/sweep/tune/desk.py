"""Where the driver leaves orders for running cohorts: Ray Tune itself has no way to send one to a running trial."""

import asyncio
from collections import defaultdict
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from distml.sweep.store import put

Letter = list[Any]  # one reference to the order: its content is none of the desk's business, nor are its imports


class Desk:
    """The driver's and the cohorts' handle on one desk; picklable."""

    def __init__(self) -> None:
        # On the driver's own node: another that dies must not take the orders of all cohorts with it.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._desk = _Desk.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]  # made by ray.remote

    def put(self, cohort: str, order: Any) -> None:
        self._desk.put.remote(cohort, [put(order)])

    def take(self, cohort: str) -> Any:
        """The next order to this cohort, waiting until there is one."""
        (order,) = ray.get(self._desk.take.remote(cohort))
        return ray.get(order)

    def close(self, cohort: str) -> None:
        """No more orders come for this cohort."""
        self._desk.close.remote(cohort)

    def is_alive(self, seconds: float) -> bool:
        """Whether it answers in so many seconds."""
        try:
            ray.get(self._desk.close.remote(""), timeout=seconds)
        except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
            return False
        return True


@ray.remote(num_cpus=0)
class _Desk:
    def __init__(self) -> None:
        self._letters: defaultdict[str, asyncio.Queue[Letter]] = defaultdict(asyncio.Queue)

    async def put(self, cohort: str, letter: Letter) -> None:
        self._letters[cohort].put_nowait(letter)

    async def take(self, cohort: str) -> Letter:
        return await self._letters[cohort].get()

    async def close(self, cohort: str) -> None:
        self._letters.pop(cohort, None)
