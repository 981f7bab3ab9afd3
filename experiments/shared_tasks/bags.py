"""Bags of credit-card accounts for multi-instance learning, and a network that pools what it sees in a bag.

    python experiments/shared_tasks/bags.py         # writes bags.csv.gz beside this file, ignored by git

The accounts are real rows of the credit-card table; that they lie in bags is made up: 4,000 bags of 6, no account in
two of them. Of half of the bags no account defaults; of the others one, two or three do, each as often. A bag's label
says whether any does, and not which: what multi-instance learning starts from (Dietterich et al., 1997).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

HERE = Path(__file__).parent
ACCOUNTS = HERE.parent / "credit_default" / "credit_default_taiwan.csv.gz"
BAGS, SIZE, MOST = 4_000, 6, 3


class Pooled(pl.LightningModule):
    """One body for each account, pooled over the bag, and a head for the bag.

    x: (bags, instances x columns), the columns of one account after another's.

    pooling:
        mean, max: of each of the accounts' features
        attention: their mean weighted by softmax(w tanh(V h)) (Ilse, Tomczak and Welling, 2018, equation 8)
        gated: by softmax(w (tanh(V h) * sigmoid(U h))) (equation 9)
        noisy-or: each account has a probability of its own, and a bag's is that of at least one (Zhang et al., 2005)
    """

    def __init__(
        self, features: int, instances: int = SIZE, pooling: str = "attention", width: int = 64, attention: int = 32,
        lr: float = 1e-3, weight_decay: float = 0.01, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        if pooling not in ("mean", "max", "attention", "gated", "noisy-or"):
            raise ValueError(f"pooling {pooling!r} is none of mean, max, attention, gated, noisy-or")
        super().__init__()
        self.instances, self.pooling = instances, pooling
        self.lr, self.weight_decay = lr, weight_decay
        self.body = nn.Sequential(
            nn.Linear(-(-features // instances), width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout),
        )  # fmt: skip
        self.head = nn.Linear(width, 1)
        if pooling in ("attention", "gated"):
            self.seen, self.weight = nn.Linear(width, attention), nn.Linear(attention, 1)
        if pooling == "gated":
            self.gate = nn.Linear(width, attention)

    def forward(self, x: Tensor) -> Tensor:
        """(bags,) logits. x: (bags, instances x columns)."""
        h = self.embedded(x)
        if self.pooling == "noisy-or":
            none = functional.logsigmoid(-self.head(h)[..., 0]).sum(1)  # log of the probability that none is
            return torch.log(-torch.expm1(none.clamp(max=-1e-6))) - none
        pooled = h.amax(1) if self.pooling == "max" else (self.shares(h).unsqueeze(-1) * h).sum(1)
        return self.head(pooled)[:, 0]

    def embedded(self, x: Tensor) -> Tensor:
        """(bags, instances, width)."""
        return self.body(x.unflatten(1, (self.instances, -1)))

    def shares(self, h: Tensor) -> Tensor:
        """(bags, instances): how much of the bag's mean each account has. h: (bags, instances, width)."""
        if self.pooling == "mean":
            return torch.full_like(h[..., 0], 1 / self.instances)
        seen = torch.tanh(self.seen(h))
        if self.pooling == "gated":
            seen = seen * torch.sigmoid(self.gate(h))
        return torch.softmax(self.weight(seen)[..., 0], 1)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, y = batch
        return functional.binary_cross_entropy_with_logits(self(x), y.to(x.dtype))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)


def bagged(accounts: pd.DataFrame, bags: int, size: int, most: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """(a row a bag with the accounts' columns one after another and `any_default`, (bags, size) who defaults).

    Raises:
        ValueError: there are not accounts enough of a kind.
    """
    random = np.random.default_rng(seed)
    defaults = np.zeros(bags, dtype=int)
    defaults[: bags // 2] = random.integers(1, most + 1, bags // 2)
    bad = random.permutation(np.flatnonzero(accounts["target"] == 1))
    good = random.permutation(np.flatnonzero(accounts["target"] == 0))
    need = int(defaults.sum()), int((size - defaults).sum())
    if need[0] > len(bad) or need[1] > len(good):
        raise ValueError(f"{bags} bags of {size} need {need} accounts, bad and good; there are {len(bad), len(good)}")
    bad_parts = np.split(bad[: need[0]], np.cumsum(defaults)[:-1])
    good_parts = np.split(good[: need[1]], np.cumsum(size - defaults)[:-1])
    rows = np.stack([random.permutation(np.concatenate(parts)) for parts in zip(bad_parts, good_parts, strict=True)])
    rows = rows[random.permutation(bags)]
    features = accounts[[name for name in accounts.columns if name not in ("ID", "target")]]
    parts = [features.iloc[rows[:, i]].reset_index(drop=True).add_prefix(f"{i + 1}.") for i in range(size)]
    guilty = accounts["target"].to_numpy()[rows] == 1
    return pd.concat([*parts, pd.Series(guilty.any(1).astype(int), name="any_default")], axis=1), guilty


def main() -> None:
    table, guilty = bagged(pd.read_csv(ACCOUNTS), BAGS, SIZE, MOST)
    table.to_csv(HERE / "bags.csv.gz", index=False)
    print(f"{len(table):,} bags of {SIZE} accounts, {guilty.any(1).mean():.0%} with a default: {HERE / 'bags.csv.gz'}")


if __name__ == "__main__":
    main()
