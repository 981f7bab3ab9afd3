"""The sweep's table once more: its raw columns, for what is told by column, by time and by group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from distml.data.columns import moments
from distml.data.options import DataOptions
from distml.data.table import file_sha256, read_table
from distml.data.target import read_target
from distml.errors import DistmlError
from distml.sweep.spec import SweepSpec

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class SweepRows:
    """frame: all columns as read, the rows that have a target, numbered as `Evaluation` numbers them.

    classes: the target's labels, of two the positive one second; () for regression
    times: (rows,) dates or numbers where the sweep splits by time
    """

    frame: "pandas.DataFrame"
    options: DataOptions
    classes: tuple[Any, ...]
    times: np.ndarray | None

    @property
    def features(self) -> list[str]:
        """The columns that may have been learnt from."""
        apart = {self.options.target, *self.options.drop, self.options.group, self.options.time}
        return [name for name in self.frame.columns if name not in apart]


def read_rows(spec: Mapping[str, Any], sha256: str | None) -> SweepRows:
    """Read the table that a sweep was run on.

    spec: the resolved sweep file; sha256: of the table, as the journal has it.

    Raises:
        DistmlError: it is not there any more, or is another one now.
    """
    options = SweepSpec.from_mapping(spec).data_options
    frame = read_table(options.source)
    if sha256 is not None and file_sha256(options.source) != sha256:
        raise DistmlError(f"{options.source} has changed since the sweep was run on it")
    assert options.target is not None  # sweeps without one have no scorer
    target = read_target(frame[options.target], options.task, options.positive)
    times = None
    if options.time is not None:
        times, mistakes = moments(frame, options.time, options.kinds.get(options.time))
        times = None if mistakes else times[target.known]
    return SweepRows(frame[target.known].reset_index(drop=True), options, target.classes, times)
