"""A table larger than memory, scored: rows a second, and the most memory that `distml predict` held.

    make sweep && make bench-scoring

The table is the credit-card one, again and again, beside columns of numbers that the scorer does not know, as tables of
applications have them: about 1,000 characters a row.
"""

import argparse
import gzip
import json
import resource
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from measuring import PROGRAM, TABLE, machine

FURTHER = 120  # columns that the scorer does not know


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scorer", type=Path, default=Path("runs/credit-default/scorer"))
    parser.add_argument("--gib", type=float, default=10.0, help="size of the table")
    parser.add_argument("--group", type=Path, help="the folder of a control group, which `distml predict` joins")
    asked = parser.parse_args()
    if not asked.scorer.is_dir():
        parser.error(f"{asked.scorer} is not there: make sweep")
    with tempfile.TemporaryDirectory() as folder:
        table, scored = Path(folder) / "table.csv", Path(folder) / "scored.csv"
        with ProcessPoolExecutor(1) as apart:  # what this process held would count as memory of those that it starts
            rows = apart.submit(write_table, table, asked.gib * 2**30).result()
        began = time.monotonic()
        with scored.open("wb") as out:
            subprocess.run(predict(asked.scorer, table, asked.group), stdout=out, check=True)
        seconds = time.monotonic() - began
        with scored.open("rb") as lines:
            came_out = sum(1 for _ in lines) - 1
        figures = {
            "table_gib": round(table.stat().st_size / 2**30, 2),
            "rows": rows,
            "rows_scored": came_out,
            "seconds": round(seconds),
            "rows_per_second": round(rows / seconds),
            "most_memory_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }
    print(json.dumps({**machine(), **figures}, indent=2))


def write_table(path: Path, size: float) -> int:
    """Write a table of at least so many bytes; its rows."""
    header, *lines = gzip.decompress(TABLE.read_bytes()).decode().splitlines()
    further = [",".join(f"{(row * 7919 + column * 104729) % 99991 / 7:.2f}" for column in range(FURTHER))
               for row in range(len(lines))]  # fmt: skip
    block = "".join(f"{line},{rest}\n" for line, rest in zip(lines, further, strict=True)).encode()
    rows = 0
    with path.open("wb") as out:
        out.write(",".join([header, *(f"further_{column}" for column in range(FURTHER))]).encode() + b"\n")
        while out.tell() < size:
            out.write(block)
            rows += len(lines)
    return rows


def predict(scorer: Path, table: Path, group: Path | None) -> list[str]:
    command = [PROGRAM, "predict", str(scorer), str(table)]
    if group is None:
        return command
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group), *command]


if __name__ == "__main__":
    main()
