import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io

from distml.data.arrays import fit_preprocessor, prepare_folds
from distml.data.kinds import is_free_text
from distml.data.preprocessing import make_preprocessor
from distml.data.text import TextFeatures
from distml.data.variant import Variant, variant_from
from tests.data.tables import loaded

ROWS = 240
RANDOM = np.random.default_rng(5)
COMMON = [f"w{i}ord" for i in range(60)]
Y = np.arange(ROWS) % 2
NOTES = [
    " ".join([*RANDOM.choice(COMMON, 8), *(["cheap", "cheap", "prize"] if y and i % 5 else ["meeting"])])
    for i, y in enumerate(Y)
]
TERMS = ["words", "bigrams", "characters"]


@pytest.fixture
def dataset(tmp_path):
    frame = pd.DataFrame({"age": RANDOM.normal(size=ROWS), "note": NOTES, "y": Y})
    frame.loc[::7, "note"] = None
    return loaded(tmp_path, frame)


@pytest.mark.parametrize("terms", TERMS)
def test_it_is_latent_semantic_analysis(terms):
    """Rows are as near to one another as in the matrix of the leading singular vectors, worked out in full."""
    texts = pd.DataFrame({"note": NOTES})
    features = TextFeatures(terms, dimensions=ROWS)
    x = features.fit_transform(texts).astype(np.float64)
    assert np.linalg.norm(x, axis=1) == pytest.approx(np.sqrt(ROWS), rel=1e-4)
    weights = features.columns_[0].named_steps["weights"].transform(NOTES).toarray().astype(np.float64)
    np.testing.assert_allclose(x @ x.T / ROWS, weights @ weights.T, atol=2e-3)  # all dimensions: nothing is lost

    few = TextFeatures(terms, dimensions=5).fit_transform(texts).astype(np.float64)
    values, left = np.linalg.eigh(weights @ weights.T)
    kept = left[:, -2:] * np.sqrt(values[-2:])
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    ours = few[:, :2] / np.linalg.norm(few[:, :2], axis=1, keepdims=True)
    np.testing.assert_allclose(ours @ ours.T, kept @ kept.T, atol=0.1)


def test_terms():
    def vocabulary(terms):
        fitted = TextFeatures(terms, 2).fit(pd.DataFrame({"note": ["red cat", "red cat", "a dog"]}))
        return set(fitted.columns_[0].named_steps["weights"].vocabulary_)

    assert vocabulary("words") == {"red", "cat"}  # 'dog' stands in one row only
    assert vocabulary("bigrams") == {"red", "cat", "red cat"}
    assert {"r", "re", "red", " red", "cat "} < vocabulary("characters")


def test_the_words_tell_the_classes_apart(dataset):
    for terms in TERMS:
        for fold in prepare_folds(dataset, Variant(text=terms, text_dimensions=8), 0):
            x, y = fold.x_train[:, 1:], fold.y_train * 2.0 - 1
            weights, *_ = np.linalg.lstsq(x, y, rcond=None)
            truth, told = fold.y_valid > 0, np.any(fold.x_valid[:, 1:] != 0, axis=1)
            assert np.mean((fold.x_valid[:, 1:] @ weights > 0)[told] == truth[told]) > 0.8


def test_folds_are_fitted_on_their_training_rows_alone(tmp_path):
    notes = [f"{note} onlyhere onlyhere2" if i < 2 else note for i, note in enumerate(NOTES)]
    dataset = loaded(tmp_path, pd.DataFrame({"note": notes, "y": Y}))
    knows = []
    for train, _ in dataset.folds:
        preprocessor = make_preprocessor(dataset.layout, Variant(text="words"), 0).fit(dataset.frame.iloc[train])
        pipeline = preprocessor.named_steps["columns"].named_transformers_["text"].columns_[0]
        knows.append("onlyhere" in pipeline.named_steps["weights"].vocabulary_)
        assert knows[-1] == (len({0, 1} & set(train)) == 2)
    assert not all(knows) or {0, 1} & set(dataset.holdout)


@pytest.mark.parametrize("terms", TERMS)
def test_it_is_finite_float32_and_the_same_every_time(dataset, terms):
    variant = Variant(text=terms, text_dimensions=100, missing="indicator")
    preprocessor = fit_preprocessor(dataset, variant, 0)
    x = preprocessor.transform(dataset.frame)
    assert (x.shape, x.dtype) == ((ROWS, 1 + 100 + 1), np.float32)
    assert np.isfinite(x).all()
    np.testing.assert_array_equal(x[:, -1], dataset.frame["note"].isna())
    np.testing.assert_array_equal(x[::7, 1:-1], 0)
    np.testing.assert_array_equal(fit_preprocessor(dataset, variant, 0).transform(dataset.frame), x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(preprocessor)).transform(dataset.frame), x)
    strange = preprocessor.transform(pd.DataFrame({"age": [1.0, np.nan], "note": ["неизвестно", ""]}))
    assert np.isfinite(strange).all()
    np.testing.assert_array_equal(strange[1, 1:-1], 0)


def test_skops_keeps_it(dataset):
    preprocessor = fit_preprocessor(dataset, Variant(text="characters", text_dimensions=4), 0)
    kept = skops.io.dumps(preprocessor)
    unknown = skops.io.get_untrusted_types(data=kept)
    assert set(unknown) <= {"distml.data.text.TextFeatures", "numpy.ascontiguousarray", "numpy.dtype"}
    again = skops.io.loads(kept, trusted=unknown)
    np.testing.assert_array_equal(again.transform(dataset.frame), preprocessor.transform(dataset.frame))


@pytest.mark.parametrize("texts", [["", None, ""], ["a", "b", "c"], ["x1", "x2", "x3"], ["same words", "same words"]])
def test_texts_that_hold_next_to_nothing(texts):
    x = TextFeatures("words", 4).fit_transform(pd.DataFrame({"note": pd.Series(texts, dtype=object)}))
    assert x.shape == (len(texts), 4)
    assert np.isfinite(x).all()


def test_without_its_texts_a_table_may_be_empty(tmp_path):
    dataset = loaded(tmp_path, pd.DataFrame({"note": NOTES, "y": Y}))
    with pytest.raises(ValueError, match="all columns are text, and text: none leaves them out"):
        make_preprocessor(dataset.layout, Variant(), 0)
    with pytest.raises(ValueError, match="pca 9 is above 8"):
        make_preprocessor(dataset.layout, Variant(text="words", text_dimensions=8, pca=9), 0)
    assert fit_preprocessor(dataset, Variant(text="words", pca=3), 0).transform(dataset.frame).shape == (ROWS, 3)


def test_choices():
    assert variant_from({"text": "bigrams", "text_dimensions": 8}) == Variant(text="bigrams", text_dimensions=8)
    for wrong in ({"text": "word"}, {"text_dimensions": 0}, {"text_dimensions": None}):
        with pytest.raises(ValueError):
            variant_from(wrong)


@pytest.mark.parametrize(
    ("texts", "free"),
    [
        (NOTES, True),
        ([f"Braund, Mr. {a} Harris" for a in COMMON], True),
        ([f"C{i:05}" for i in range(100)], False),
        ([f"{i:08x}-{i * i:04x}-{7 * i:04x}-{i**3:012x}" for i in range(1000, 1100)], False),
        ([f"word{i}" for i in range(100)] * 2, False),
        ([np.nan, np.nan], False),
    ],
)
def test_free_text(texts, free):
    assert is_free_text(pd.Series(texts, dtype=object)) == free
