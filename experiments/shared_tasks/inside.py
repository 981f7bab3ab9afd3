"""Does a network that was told about bags alone know which account it was?

    python experiments/shared_tasks/inside.py

Each network learns from 3,200 bags. Of the 800 others, among those with one account that defaults: how often has that
account the largest share of attention (or probability of its own)? And over all accounts of bags with a default: the
ROC AUC of that share. Who defaults was never shown to it. By chance 1/6 and 0.5.
"""

import argparse

import numpy as np
import pandas as pd
import torch
from bags import ACCOUNTS, BAGS, MOST, SIZE, Pooled, bagged
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import QuantileTransformer

LEARNT, EPOCHS, BATCH = 3_200, 12, 128


def trained(x: torch.Tensor, y: torch.Tensor, pooling: str, seed: int) -> Pooled:
    """x: (bags, instances x columns)."""
    torch.manual_seed(seed)
    module = Pooled(x.shape[1], pooling=pooling, lr=1e-3, dropout=0.3)
    optimiser = module.configure_optimizers()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            module.training_step((x[rows], y[rows]), 0).backward()
            optimiser.step()
    return module.eval()


@torch.no_grad()
def pointed_at(module: Pooled, x: torch.Tensor) -> np.ndarray:
    """(bags, instances): attention, or the log odds of each account's own probability."""
    h = module.embedded(x)
    return (module.head(h)[..., 0] if module.pooling == "noisy-or" else module.shares(h)).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    table, guilty = bagged(pd.read_csv(ACCOUNTS), BAGS, SIZE, MOST)
    y = torch.from_numpy(table.pop("any_default").to_numpy(dtype=np.float32))
    scaled = QuantileTransformer(output_distribution="normal", random_state=0).fit(table[:LEARNT]).transform(table)
    x = torch.from_numpy(scaled.astype(np.float32))
    held = guilty[LEARNT:]
    one, some = held.sum(1) == 1, held.any(1)
    print(f"{'pooling':12} finds the one account     ROC AUC of accounts    (mean ± sd of {args.seeds} seeds)")
    for pooling in ("attention", "gated", "noisy-or"):
        found = []
        for seed in range(args.seeds):
            share = pointed_at(trained(x[:LEARNT], y[:LEARNT], pooling, seed), x[LEARNT:])
            hits = held[one, share[one].argmax(1)].mean()
            found.append((hits, roc_auc_score(held[some].ravel(), share[some].ravel())))
        (hits, area), (hits_sd, area_sd) = np.mean(found, 0), np.std(found, 0, ddof=1)
        print(f"{pooling:12} {hits:.3f} ± {hits_sd:.3f}             {area:.3f} ± {area_sd:.3f}", flush=True)


if __name__ == "__main__":
    main()
