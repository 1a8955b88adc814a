"""Votes of models combined by how often each is right about each class.

A. P. Dawid, A. M. Skene: Maximum likelihood estimation of observer error-rates using
the EM algorithm. Applied Statistics 28, 1979.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from scipy import sparse

import upl_plugin as upl

BLOCK = 4096  # votes whose posteriors are in memory at once

#: Log likelihoods [n] and posteriors [n, C] of votes [n, M].
Expectation = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class DawidSkene(upl.Ensemble):
    """The posterior of the class given each model's first class.

    What P(vote | class) is of each model is learnt from all votes, without labels.
    Images with the same votes have the same posterior, so that one pass counts the
    different votes and EM goes over these, which are far fewer.
    """

    name, version = "dawid-skene", "1.0.0"
    summary = (
        "posterior of the class given the models' votes, their errors learnt by EM"
    )
    parameters = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "iterations": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10000,
                "default": 100,
                "description": "at most",
            },
            "tolerance": {
                "type": "number",
                "minimum": 0,
                "default": 1e-6,
                "description": "gain of log likelihood per image that is the last",
            },
            "smoothing": {
                "type": "number",
                "exclusiveMinimum": 0,
                "default": 1,
                "description": "votes that each model has beforehand, of each class",
            },
        },
    }
    needs = [upl.View.AGREE]

    def configure(self, setup: upl.Setup) -> None:
        self.params = setup.params
        self.models, self.classes = setup.models, setup.classes
        self.agree = setup.open_agree()
        self.counted: Counter[bytes] = Counter()

    def observe(self, batch: upl.Batch) -> None:
        of_a_row = f"V{4 * self.models}"
        self.counted.update(self._votes(batch).view(of_a_row)[:, 0].tolist())

    def end_round(self, round: upl.Round) -> None:
        if not self.counted:
            return
        # In order, so that sums do not depend on which came first.
        different = sorted(self.counted)
        votes = np.frombuffer(b"".join(different), "<u4").reshape(-1, self.models)
        counts = np.array([self.counted[v] for v in different], float)
        self._sweep(votes, counts, self._shares)
        last = -np.inf
        iterations = 0
        while iterations < self.params["iterations"]:
            likelihood = self._sweep(votes, counts, self._posterior)
            iterations += 1
            gain, last = likelihood - last, likelihood
            if abs(gain) <= self.params["tolerance"]:
                break
        round.metric("iterations", iterations)
        round.metric("log_likelihood", last)
        for m, log_votes in enumerate(self.log_votes):
            right = np.exp(np.diagonal(log_votes) + self.log_prior).sum()
            round.metric(f"accuracy_{m}", right)

    def combine(self, batch: upl.Batch) -> np.ndarray:
        return self._posterior(self._votes(batch))[1]

    def _votes(self, batch: upl.Batch) -> np.ndarray:
        """Each model's first class: uint32 [rows, M]."""
        return np.ascontiguousarray(self.agree.batch(batch)["class"])

    def _sweep(
        self, votes: np.ndarray, counts: np.ndarray, expect: Expectation
    ) -> float:
        """One step of EM; gives the log likelihood per image before it.

        Args:
            votes: the different ones, [n, M].
            counts: of images with each, [n].
            expect: what classes they stand for.
        """
        likelihood = 0.0
        expected = np.zeros((self.models, self.classes, self.classes))  # vote, class
        for at in range(0, len(votes), BLOCK):
            vote, count = votes[at : at + BLOCK], counts[at : at + BLOCK]
            log_likelihood, posterior = expect(vote)
            likelihood += float((count * log_likelihood).sum())
            for m in range(self.models):
                where = vote[:, m], np.arange(len(vote))
                cast = sparse.csr_array((count, where), (self.classes, len(vote)))
                expected[m] += cast @ posterior
        self._learn(expected)
        return likelihood / float(counts.sum())

    def _learn(self, expected: np.ndarray) -> None:
        """What the expected numbers of (vote, class) of each model say."""
        smoothing = self.params["smoothing"]
        of_class = expected[0].sum(axis=0) + smoothing
        self.log_prior = np.log(of_class / of_class.sum())
        self.log_votes = np.log((expected + smoothing / self.classes) / of_class)

    def _posterior(self, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log likelihoods [n] of votes, and posteriors of their classes [n, C]."""
        joint = np.broadcast_to(self.log_prior, (len(votes), self.classes)).copy()
        for m, log_votes in enumerate(self.log_votes):
            joint += log_votes[votes[:, m]]
        most = joint.max(axis=1, keepdims=True)
        joint = np.exp(joint - most)
        total = joint.sum(axis=1, keepdims=True)
        return (most + np.log(total))[:, 0], joint / total

    def _shares(self, votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where EM starts: each class's share of the votes."""
        shares = np.zeros((len(votes), self.classes))
        for m in range(self.models):
            shares[np.arange(len(votes)), votes[:, m]] += 1 / self.models
        return np.zeros(len(votes)), shares
