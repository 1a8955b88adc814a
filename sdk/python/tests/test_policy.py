"""Declarations of policies, and the records that they emit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import upl_plugin as upl
from upl_plugin import records
from upl_plugin.policy import Plugin


class Good(upl.Selection):
    name, version, summary = "good", "1.0.0", "one line"
    needs = (upl.View.CLASS_TOP_K, upl.View.STATS)

    def end_round(self, round: upl.Round) -> None:
        pass


def test_description() -> None:
    assert Plugin(Good).manifest() == {
        "policies": [
            {
                "name": "good",
                "version": "1.0.0",
                "kind": "selection",
                "summary": "one line",
                "needs": {"views": ["class_top_k", "stats"], "rounds": False},
                "parameters": {"type": "object", "additionalProperties": False},
            }
        ]
    }


def test_each_run_has_its_own() -> None:
    plugin = Plugin(Good, lambda: type("Other", (Good,), {"name": "other"})())
    assert plugin.make("good") is not plugin.make("good")
    assert plugin.make("other").name == "other"


def test_what_is_no_policy() -> None:
    with pytest.raises(TypeError, match=r"pass Good, not Good\(\)"):
        Plugin(Good())
    with pytest.raises(TypeError, match="neither a Selection nor an Ensemble"):
        Plugin(dict)
    with pytest.raises(ValueError, match="two policies are named good"):
        Plugin(Good, Good)
    with pytest.raises(TypeError, match="Nameless has no version"):
        Plugin(type("Nameless", (upl.Selection,), {"name": "x"}))
    with pytest.raises(TypeError, match="idle has neither observe"):
        Plugin(type("I", (upl.Ensemble,), {"name": "idle", "version": "1.0.0"}))


def test_hard_labels_share_a_class_and_a_weight() -> None:
    labels = records.hard([3, 1], 2, 0.5)
    assert labels.tolist() == [(3, 2, 0.5, 0, 0), (1, 2, 0.5, 0, 0)]


@pytest.mark.parametrize("dense", [True, False])
def test_soft_labels_leave_out_zeros(dense: bool) -> None:
    p = np.array([[0.5, 0, 0.5], [0, 1, 0]], np.float32)
    words, ends = records.soft([2**40, 7], [1, 2], p if dense else sparse.csr_array(p))
    half, one, two = np.array([0.5, 1, 2], "<f4").view("<u4")
    assert words.tolist() == [0, 256, one, 2, 0, half, 2, half, 7, 0, two, 1, 1, one]
    assert ends.tolist() == [8, 14]


def test_candidate_sets() -> None:
    words, ends = records.candidates([4, 5], 1.0, [0, 1, 3], [2, 0, 1])
    one = np.array([1], "<f4").view("<u4")[0]
    assert words.tolist() == [4, 0, one, 1, 2, 5, 0, one, 2, 0, 1]
    assert ends.tolist() == [5, 11]


def test_nothing_is_nothing() -> None:
    assert len(records.hard([], [], [])) == len(records.drops([])) == 0
    assert len(records.soft([], 1, np.empty((0, 3)))[0]) == 0
    assert len(records.candidates([], 1, [0], [])[0]) == 0


def test_rows_that_are_none() -> None:
    with pytest.raises(ValueError, match="rows have -1, below 0"):
        records.hard([-1], [0], 1)
    with pytest.raises(TypeError, match="rows are float64, not integers"):
        records.drops([0.0])
    with pytest.raises(TypeError, match="classes are float64"):
        records.hard([0], [0.5], 1)
    with pytest.raises(ValueError, match="row 7 has no class"):
        records.soft([7], 1, [[0.0, 0.0]])
    with pytest.raises(ValueError, match="2 rows, and classes for 1"):
        records.candidates([0, 1], 1, [0, 1], [0])
    with pytest.raises(ValueError, match="could not broadcast"):
        records.hard([0, 1], [0, 1, 2], 1)
