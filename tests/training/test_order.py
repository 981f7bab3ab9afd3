import torch

from distml.training.order import noise_seed, row_order


def test_each_epoch_and_seed_has_its_own_order_of_all_rows() -> None:
    orders = [row_order(seed, epoch, 50) for seed in (1, 2) for epoch in (0, 1)]
    assert all(torch.equal(order.sort().values, torch.arange(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert torch.equal(orders[0], row_order(1, 0, 50))


def test_every_step_has_noise_of_its_own() -> None:
    seeds = {noise_seed(epoch, batch) for epoch in range(60) for batch in range(200)}
    assert len(seeds) == 60 * 200
    assert all(0 <= seed < 2**63 for seed in seeds)
