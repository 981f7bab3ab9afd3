"""Writes the records of what others published: each figure as its source has it, or as it follows from its table.

python experiments/hardware/published.py
"""

from pathlib import Path

from distml.bench.record import Published, PublishedFigure, write

HERE = Path(__file__).parent / "published"
READ = "2026-11-23"


def ratio(what: str, value: float, low: float | None, high: float | None, hardware: str, note: str) -> PublishedFigure:
    return PublishedFigure(what=what, value=value, low=low, high=high, unit="times", hardware=hardware, note=note)


PAIR = "A100-40 PCIe over RTX 3090"
PRICES = "at the table's prices of the cards, 10,437.5 and 2,750"
WATTS = "limits of 250 W and 350 W; power was not measured"
RANGE = "geometric mean [least, most] over 10 networks"
LAMBDA = Published(
    label="Lambda's benchmark of training throughput: A100-40 PCIe against RTX 3090",
    source="Lambda Labs, deeplearning-benchmark, pytorch/pytorch-train-throughput-fp16.csv and -fp32.csv",
    url="https://github.com/lambdal/deeplearning-benchmark",
    read=f"{READ}, the tables as of revision 4e11f68 (2024-07-24); ratios computed from them",
    figures=(
        ratio("training throughput, fp16", 1.81, 1.47, 2.25, PAIR, RANGE),
        ratio("training throughput, fp32", 1.94, 1.50, 2.49, PAIR, f"{RANGE}; TF32 on or off: not said"),
        ratio("throughput per price of the card, fp16", 0.48, None, None, PAIR, PRICES),
        ratio("throughput per price of the card, fp32", 0.51, None, None, PAIR, PRICES),
        ratio("throughput per watt of the power limit, fp16", 2.54, None, None, PAIR, WATTS),
        ratio("throughput per watt of the power limit, fp32", 2.72, None, None, PAIR, WATTS),
    ),
)
DERIVED = "slices times one slice's rate over the rate of 7g.40gb, by median step times; median [least, most]"
MISO = Published(
    label="MISO's logs: slices of an A100-40 against all of it as one slice",
    source="Li et al., MISO: Exploiting Multi-Instance GPU Capability on Multi-Tenant GPU Clusters, SoCC 2022",
    url="https://github.com/boringlee24/socc22-miso",
    read=f"{READ}, mps/models/logs/mig as of revision 39b1ee6 (2023-04-19); ratios computed from them",
    figures=(
        ratio("seven 1g.5gb", 2.16, 0.54, 5.67, "A100-40, MIG", f"{DERIVED} over 21 settings"),
        ratio("three 2g.10gb", 1.55, 0.83, 2.71, "A100-40, MIG", f"{DERIVED} over 28 settings"),
        ratio("two 3g.20gb", 1.34, 0.80, 2.01, "A100-40, MIG", f"{DERIVED} over 32 settings"),
    ),
)
COLLOCATION = Published(
    label="Several trainings on one A100 at once: plain processes, MPS, MIG",
    source="Robroek, Yousefzadeh-Asl-Miandoab, Tözün, An Analysis of Collocation on GPUs for Deep Learning Training",
    url="https://arxiv.org/abs/2209.06018 and https://doi.org/10.1145/3642970.3655827",
    read=f"{READ}, abstracts of both versions",
    figures=(
        ratio("at most, in throughput", 3.0, None, None, "A100", "EuroMLSys 2024; recommends MPS for a single user"),
        ratio("at most, in throughput", 4.0, None, None, "A100", "the earlier version on arXiv"),
    ),
)
HFTA = Published(
    label="HFTA: many trainings as one, against a process each",
    source="Wang et al., Horizontally Fused Training Array, MLSys 2021",
    url="https://arxiv.org/abs/2102.02344",
    read=f"{READ}, abstract",
    figures=(ratio("at most, in throughput", 15.1, None, None, "V100, RTX 6000, A100, TPU v3", "six models"),),
)

if __name__ == "__main__":
    for name, record in {"lambda": LAMBDA, "miso": MISO, "collocation": COLLOCATION, "hfta": HFTA}.items():
        write(record, HERE / f"{name}.json")
