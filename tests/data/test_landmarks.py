import numpy as np
import pytest
from sklearn.datasets import make_circles
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from distml.data.landmarks import LandmarkDistances


def test_is_an_estimator_like_scikit_learns():
    check_estimator(LandmarkDistances(n_landmarks=3), on_skip=None)


def test_two_rings_become_linearly_separable():
    x, y = make_circles(600, factor=0.5, noise=0.05, random_state=0)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    plain = LogisticRegression().fit(x_train, y_train)
    raised = make_pipeline(LandmarkDistances(10, random_state=0), LogisticRegression(C=100)).fit(x_train, y_train)
    assert plain.score(x_test, y_test) < 0.65
    assert raised.score(x_test, y_test) == 1.0


def test_appends_distances_to_rows_of_the_training_set():
    x = np.random.default_rng(0).normal(size=(50, 4))
    landmarks = LandmarkDistances(6, random_state=1).fit(x)
    raised = landmarks.transform(x)
    assert raised.shape == (50, 10)
    np.testing.assert_array_equal(raised[:, :4], x)
    assert all((row == x).all(axis=1).any() for row in landmarks.landmarks_)
    np.testing.assert_allclose(
        raised[:, 4:] * landmarks.scale_, euclidean_distances(x, landmarks.landmarks_), atol=1e-7
    )
    assert raised[:, 4:].mean() == pytest.approx(1)


def test_the_seed_decides_which_rows():
    x = np.random.default_rng(0).normal(size=(200, 2))
    one, same, other = (LandmarkDistances(5, random_state=seed).fit(x).landmarks_ for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_equal_rows_and_few_rows_are_no_trouble():
    raised = LandmarkDistances(5).fit_transform(np.ones((3, 2)))
    np.testing.assert_array_equal(raised, np.c_[np.ones((3, 2)), np.zeros((3, 3))])


def test_no_landmarks_are_refused():
    with pytest.raises(ValueError, match="n_landmarks 0 is not above 0"):
        LandmarkDistances(0).fit(np.ones((3, 2)))
