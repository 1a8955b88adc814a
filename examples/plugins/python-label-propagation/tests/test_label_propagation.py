from __future__ import annotations

import numpy as np
import pytest

import graph
import upl_plugin as upl
from label_propagation import LabelPropagation
from upl_plugin import testing


def dense_scores(
    images: np.ndarray, texts: np.ndarray, k: int, alpha: float, power: float
) -> np.ndarray:
    """The rule by the book: float64, all similarities, all at once. [N, C]"""
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    n, c = len(images), len(texts)
    a = np.zeros((c + n, c + n))
    similar = images @ images.T
    np.fill_diagonal(similar, -np.inf)
    for i in range(n):
        for j in np.argsort(-similar[i])[:k]:
            a[c + i, c + j] = max(similar[i, j], 0)
        to_texts = images[i] @ texts.T
        for t in np.argsort(-to_texts)[:k]:
            a[c + i, t] = max(to_texts[t], 0) ** power
    w = a + a.T
    d = w.sum(1)
    d[d == 0] = np.inf
    w = w / np.sqrt(d)[:, None] / np.sqrt(d)[None, :]
    return np.linalg.inv(np.eye(c + n) - alpha * w)[c:, :c]


@pytest.fixture
def features() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(11)
    texts = draw.normal(size=(4, 16)).astype(np.float32)
    of = draw.integers(4, size=90)
    images = (texts[of] + 1.5 * draw.normal(size=(90, 16))).astype(np.float32)
    return images, texts


def select(
    images: np.ndarray, texts: np.ndarray, batch_rows: int = 256, **params: object
) -> testing.Result:
    p = np.full((len(images), len(texts)), 1 / len(texts))
    return testing.select(
        LabelPropagation,
        [p],
        features=[images],
        text_features=[texts],
        params=params,
        batch_rows=batch_rows,
    )


@pytest.mark.parametrize(
    ("k", "alpha", "power"), [(5, 0.3, 5), (1, 0.9, 1), (100, 0.5, 2)]
)
def test_as_by_a_dense_solve(
    monkeypatch: pytest.MonkeyPatch,
    features: tuple[np.ndarray, np.ndarray],
    k: int,
    alpha: float,
    power: float,
) -> None:
    monkeypatch.setattr(graph, "QUERIES", 32)
    monkeypatch.setattr(graph, "KEYS", 17)
    scores = dense_scores(*features, k, alpha, power)
    want = []
    for c in range(scores.shape[1]):
        rows = np.flatnonzero((scores.argmax(1) == c) & (scores.max(1) > 0))
        want += [(row, c) for row in rows[np.argsort(-scores[rows, c])][:7]]
    result = select(*features, k=7, neighbours=k, alpha=alpha, power=power)
    assert list(zip(result.labels.rows, result.labels.classes)) == sorted(want)


def test_solution(features: tuple[np.ndarray, np.ndarray]) -> None:
    solve = graph.solver(graph.affinity(*features, 5, 5), 0.3)
    scores = np.stack([solve(c)[4:] for c in range(4)], axis=1)
    assert np.abs(scores - dense_scores(*features, 5, 0.3, 5)).max() < 1e-6


def test_neighbours_outvote_a_text() -> None:
    texts = np.eye(2, 6, dtype=np.float32)
    images = np.zeros((13, 6), np.float32)
    images[:7, 2] = images[7:, 3] = 1  # two clusters …
    images[:6, 0] = images[7:, 1] = 0.6  # … of a class each
    images[6, :2] = 0.5, 0.52  # and one image that by itself is of the other class
    labels = select(images, texts).labels
    assert labels.classes.tolist() == [0] * 7 + [1] * 6


def test_batches_do_not_matter(features: tuple[np.ndarray, np.ndarray]) -> None:
    results = [select(*features, batch_rows=rows).labels for rows in (1, 7, 256)]
    for labels in results[1:]:
        assert labels.rows.tolist() == results[0].rows.tolist()
        assert labels.classes.tolist() == results[0].classes.tolist()


@pytest.mark.parametrize(("n", "c"), [(0, 3), (1, 3), (5, 1), (3, 2)])
def test_small_data(n: int, c: int) -> None:
    draw = np.random.default_rng(1)
    labels = select(draw.random((n, 4)), draw.random((c, 4))).labels
    assert labels.rows.tolist() == list(range(n))


def test_an_image_like_no_other_has_no_label() -> None:
    images = np.eye(3, 4, dtype=np.float32)
    result = select(images, np.eye(2, 4, dtype=np.float32))
    assert result.labels.rows.tolist() == [0, 1]
    assert [(m.name, m.value) for m in result.metrics] == [("images_not_reached", 1)]


def test_needs_features() -> None:
    with pytest.raises(upl.Error) as caught:
        testing.select(LabelPropagation, [[[1.0]]])
    assert caught.value.code == upl.Code.DENIED


def test_model_out_of_range(features: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(upl.Unusable, match="parameter model: is 1, of 1 models"):
        select(*features, model=1)
