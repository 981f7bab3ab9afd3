import pytest
import torch

from distml.data.task import Outline
from distml.models.layers import embedding_width, rate_at
from distml.models.network import ScoringNetwork
from distml.models.scoring import build_layers, build_network

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 0, 0] * 3)


def test_binary_probabilities_come_from_one_logit() -> None:
    network = ScoringNetwork(4).eval()
    assert network(X).shape == (12,)
    torch.testing.assert_close(network.predict(X)[:, 1], torch.sigmoid(network(X)))
    torch.testing.assert_close(network.predict(X).sum(1), torch.ones(12))
    torch.testing.assert_close(network.predict_step((X, Y), 0), network.predict(X))


def test_the_plain_module_is_the_same_network_weight_for_weight() -> None:
    outline = Outline("classification", 6, (3, 7), 2)
    built = [build({"hidden": (8, 4)}, outline, 5).state_dict() for build in (build_network, build_layers)]
    assert list(built[0]) == list(built[1])
    assert all(torch.equal(built[0][name], built[1][name]) for name in built[0])


def test_more_classes_have_a_logit_each() -> None:
    network = ScoringNetwork(4, classes=3).eval()
    assert network(X).shape == (12, 3)
    torch.testing.assert_close(network.predict(X).sum(1), torch.ones(12))


def test_a_regression_predicts_in_the_targets_own_unit() -> None:
    network = ScoringNetwork(4, task="regression", classes=0).eval()
    y = torch.linspace(100, 120, 12)
    network.observe_targets(y)
    assert float(network.target_mean) == pytest.approx(110)
    torch.testing.assert_close(network.predict(X), network(X) * y.std(correction=0) + 110)
    network.observe_targets(torch.full((12,), 5.0))  # a constant target has no spread to divide by
    assert torch.isfinite(network.training_step((X, torch.full((12,), 5.0)), 0))


@pytest.mark.parametrize(("class_weight", "expected"), [("none", [1, 1]), ("balanced", [2 / 3, 2]), (4.0, [1, 4])])
def test_class_weights(class_weight: str | float, expected: list[float]) -> None:
    network = ScoringNetwork(4, class_weight=class_weight)  # type: ignore[arg-type]
    network.observe_targets(Y)
    torch.testing.assert_close(network.class_weights, torch.tensor(expected, dtype=torch.float32))


def test_balanced_weights_stand_a_class_without_rows() -> None:
    network = ScoringNetwork(4, class_weight="balanced")
    network.observe_targets(torch.zeros(12, dtype=torch.int64))
    assert torch.isfinite(network.class_weights).all()


def test_category_codes_go_through_embeddings() -> None:
    network = ScoringNetwork(6, cardinalities=(3, 7)).eval()
    x = torch.cat([X, torch.tensor([[2.0, 6.0]]).repeat(12, 1)], 1)
    assert network(x).shape == (12,)
    assert network.layers[0].in_features == 4 + embedding_width(3) + embedding_width(7)
    x[:, 4] = 1
    assert not torch.equal(network(x), network(torch.cat([X, x[:, 4:] * 0], 1)))


def test_schedules_rise_and_fall() -> None:
    cosine = [rate_at(step, "cosine", 10, 0.2) for step in range(11)]
    assert cosine[:3] == [0.5, 1.0, 1.0] and cosine == sorted(cosine[:2]) + sorted(cosine[2:], reverse=True)
    assert cosine[-1] == pytest.approx(0)
    assert [rate_at(step, "constant", 10, 0.0) for step in (0, 9)] == [1.0, 1.0]
