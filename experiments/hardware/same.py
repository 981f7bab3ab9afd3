"""How often two runs of one machine are called no different, over all pairs of its records and all their arms.

for n in 1 2 3 4 5; do distml bench --quick --output "run$n.json"; done
python experiments/hardware/same.py run*.json
"""

import itertools
import sys
from pathlib import Path

from distml.bench.compare import compare
from distml.bench.record import read_measured
from distml.bench.statistics import differs


def main(paths: list[Path]) -> None:
    records = [(path, read_measured(path)) for path in paths]
    verdicts: list[bool] = []
    for pair in itertools.combinations(records, 2):
        ratios = [row.ratios[1] for block in compare(pair).blocks for row in block.arms]
        verdicts += [not differs(ratio) for ratio in ratios if ratio is not None and ratio.low is not None]
    share = 100 * sum(verdicts) / len(verdicts)
    print(f"no difference: {sum(verdicts)} of {len(verdicts)} comparisons of an arm with itself ({share:.0f} %)")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
