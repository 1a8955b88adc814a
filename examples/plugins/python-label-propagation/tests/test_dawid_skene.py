from __future__ import annotations

import numpy as np
import pytest

import dawid_skene
from dawid_skene import DawidSkene
from upl_plugin import testing

C = 4
SKILLS = (0.85, 0.6, 0.55)  # how often each model is right


def simulate(n: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """True classes, and the probabilities of models that err independently."""
    draw = np.random.default_rng(3)
    truth = draw.choice(C, n, p=[0.4, 0.3, 0.2, 0.1])
    models = []
    for skill in SKILLS:
        wrong = (truth + draw.integers(1, C, n)) % C
        votes = np.where(draw.random(n) < skill, truth, wrong)
        p = np.full((n, C), 0.1)
        p[np.arange(n), votes] = 0.7
        models.append(p)
    return truth, models


def em(
    votes: np.ndarray, iterations: int, smoothing: float, classes: int = C
) -> np.ndarray:
    """EM by the book, image by image: the posteriors [n, C]."""
    n, m = votes.shape
    t = np.zeros((n, classes))
    for i in range(n):
        for j in range(m):
            t[i, votes[i, j]] += 1 / m
    for _ in range(iterations + 1):
        totals = t.sum(0) + smoothing
        prior = totals / totals.sum()
        confusion = np.full(
            (m, classes, classes), smoothing / classes
        )  # model, class, vote
        for i in range(n):
            for j in range(m):
                confusion[j, :, votes[i, j]] += t[i]
        confusion /= totals[None, :, None]
        for i in range(n):
            t[i] = prior * np.prod([confusion[j, :, votes[i, j]] for j in range(m)], 0)
            t[i] /= t[i].sum()
    return t


def test_as_by_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dawid_skene, "BLOCK", 5)
    _, models = simulate(200)
    votes = np.stack([p.argmax(1) for p in models], axis=1)
    params = {"iterations": 12, "tolerance": 0, "smoothing": 0.5}
    combined, _ = testing.combine(DawidSkene, models, params=params)
    assert np.abs(combined - em(votes, 12, 0.5)).max() < 1e-6


def test_better_than_a_majority() -> None:
    truth, models = simulate(20_000)
    combined, result = testing.combine(DawidSkene, models)
    mean = np.mean(models, axis=0)
    right = (combined.argmax(1) == truth).mean()
    assert right > (mean.argmax(1) == truth).mean() + 0.03
    metrics = {m.name: m.value for m in result.metrics}
    for m, skill in enumerate(SKILLS):
        assert abs(metrics[f"accuracy_{m}"] - skill) < 0.03
    assert metrics["iterations"] < 100


def test_posteriors_are_calibrated() -> None:
    truth, models = simulate(20_000)
    combined, _ = testing.combine(DawidSkene, models)
    sure = combined.max(1) > 0.9
    assert (
        abs((combined.argmax(1) == truth)[sure].mean() - combined.max(1)[sure].mean())
        < 0.02
    )


def test_batches_do_not_matter() -> None:
    _, models = simulate(500)
    results = [
        testing.combine(DawidSkene, models, batch_rows=rows)[0].tobytes()
        for rows in (1, 7, 256)
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(("n", "classes", "models"), [(0, 3, 2), (4, 1, 2), (4, 3, 1)])
def test_small_data(n: int, classes: int, models: int) -> None:
    p = np.full((models, n, classes), 1 / classes)
    combined, _ = testing.combine(DawidSkene, list(p))
    assert combined.shape == (n, classes)
    assert np.allclose(combined.sum(1), 1)
