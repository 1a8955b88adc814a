"""The cases of testdata, which hold any host to the same results."""

from __future__ import annotations

import json

import numpy as np
from test_dawid_skene import em
from test_label_propagation import dense_scores

from conftest import PLUGIN
from dawid_skene import DawidSkene
from label_propagation import LabelPropagation
from upl_plugin import testing


def case(name: str) -> dict:
    return json.loads((PLUGIN / "testdata" / f"{name}.json").read_text())


def test_label_propagation() -> None:
    given = case("label-propagation")
    labels = testing.select(
        LabelPropagation,
        given["models"],
        class_names=given["classes"],
        features=[given["features"]] * 3,
        text_features=[given["text_features"]] * 3,
        params=given["params"],
    ).labels
    got = zip(labels.rows, labels.classes, labels.weights)
    assert [list(label) for label in got] == given["expected"]["labels"]
    images, texts = np.array(given["features"]), np.array(given["text_features"])
    scores = dense_scores(images, texts, 5, 0.3, 5)
    assert all(scores[row].argmax() == c for row, c, _ in given["expected"]["labels"])


def test_dawid_skene() -> None:
    given = case("dawid-skene")
    combined, _ = testing.combine(DawidSkene, given["models"], params=given["params"])
    assert np.abs(combined - given["expected"]["combined"]).max() < 1e-6
    votes = np.stack([np.argmax(p, axis=1) for p in given["models"]], axis=1)
    assert np.abs(combined - em(votes, 12, 1, classes=3)).max() < 1e-6
