"""Zero-shot label propagation (ZLaP: Stojnić, Kalantidis, Tolias, CVPR 2024)."""

from __future__ import annotations

import numpy as np

import upl_plugin as upl
from graph import affinity, solver


class LabelPropagation(upl.Selection):
    """Labels images by what reaches them from the class texts, over their neighbours.

    An image is of the class that reaches it most, and each class keeps the k images
    that it reaches most.
    """

    name, version = "label-propagation", "1.0.0"
    summary = (
        "per class the K images that it reaches most over a graph of images and texts"
    )
    parameters = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "k": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100000,
                "default": 16,
                "description": "images per class",
            },
            "model": {
                "type": "integer",
                "minimum": 0,
                "default": 0,
                "description": "whose features make the graph",
            },
            "neighbours": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "default": 5,
                "description": "nearest images, and nearest texts, of each image",
            },
            "alpha": {
                "type": "number",
                "minimum": 0,
                "exclusiveMaximum": 1,
                "default": 0.3,
                "description": "how far labels travel",
            },
            "power": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 100,
                "default": 5,
                "description": "of similarities to texts",
            },
        },
    }
    needs = [upl.View.FEATURES]

    def configure(self, setup: upl.Setup) -> None:
        self.params = setup.params
        model = setup.params["model"]
        if model >= setup.models:
            raise upl.Unusable("model", f"is {model}, of {setup.models} models")
        self.features = setup.open_features(model=model)
        self.texts = setup.open_text_features(model=model)
        width = setup.feature_dims[model]
        self.images = np.empty((setup.rows, width), np.float32)

    def observe(self, batch: upl.Batch) -> None:
        end = batch.first + batch.rows
        self.images[batch.first : end] = self.features.batch(batch)

    def end_round(self, round: upl.Round) -> None:
        texts = self.texts.read()
        w = affinity(
            self.images, texts, self.params["neighbours"], self.params["power"]
        )
        solve = solver(w, self.params["alpha"])
        best = np.zeros(len(self.images), np.float32)
        second, of = np.zeros_like(best), np.zeros(len(best), np.int64)
        for c in range(len(texts)):
            # One class at a time: all scores at once are N x C.
            score = solve(c)[len(texts) :].astype(np.float32)
            leads = score > best
            second = np.where(leads, best, np.maximum(second, score))
            best, of = np.where(leads, score, best), np.where(leads, c, of)
        for c in range(len(texts)):
            rows = np.flatnonzero((of == c) & (best > 0))
            order = np.lexsort((rows, second[rows] - best[rows], -best[rows]))
            round.emit(rows[order[: self.params["k"]]], c)
        round.metric("images_not_reached", np.count_nonzero(best <= 0))
