"""Files of ``upl-host select``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import upl_plugin as upl


def test_labels(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "out.npz",
        rows=np.array([0, 2], np.int64),
        classes=np.array([1, 0], np.int32),
        weights=np.array([1, 0.5], np.float32),
        drops=np.array([1], np.int64),
    )
    labels = upl.read(tmp_path / "out.npz")
    assert isinstance(labels, upl.Labels)
    assert labels.rows.tolist() == [0, 2]
    assert labels.classes.tolist() == [1, 0]
    assert labels.weights.tolist() == [1, 0.5]
    assert labels.drops.tolist() == [1]


def test_soft_labels(tmp_path: Path) -> None:
    soft = np.array([[0.25, 0.75]], np.float32)
    np.savez(tmp_path / "out.npz", rows=[4], weights=[1.0], soft=soft)
    labels = upl.read(tmp_path / "out.npz")
    assert isinstance(labels, upl.SoftLabels)
    assert labels.soft.tolist() == soft.tolist()
    assert labels.drops.tolist() == []


def test_candidate_sets(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "o.npz", rows=[4], offsets=[0, 2], classes=[0, 3], weights=[1.0]
    )
    sets = upl.read(str(tmp_path / "o.npz"))
    assert isinstance(sets, upl.CandidateSets)
    assert (sets.offsets.tolist(), sets.classes.tolist()) == ([0, 2], [0, 3])


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            "row,class,weight\n0,1,1\n2,0,0.5\n",
            upl.Labels(np.array([0, 2]), np.array([1, 0]), np.array([1, 0.5])),
        ),
        ("row,class,weight\n", upl.Labels(np.array([]), np.array([]), np.array([]))),
        (
            "row,weight,p0,p1\n3,1,0.25,0.75\n",
            upl.SoftLabels(np.array([3]), np.array([1]), np.array([[0.25, 0.75]])),
        ),
        (
            "row,weight,p0,p1\n",
            upl.SoftLabels(np.array([]), np.array([]), np.empty((0, 2))),
        ),
        (
            "row,weight,classes\n3,1,0;2\n5,2,1\n",
            upl.CandidateSets(
                np.array([3, 5]),
                np.array([0, 2, 3]),
                np.array([0, 2, 1]),
                np.array([1, 2]),
            ),
        ),
    ],
)
def test_csv(tmp_path: Path, text: str, want: object) -> None:
    (tmp_path / "out.csv").write_text(text)
    got = upl.read(tmp_path / "out.csv")
    assert type(got) is type(want)
    dtypes = {"classes": np.int32, "weights": np.float32, "soft": np.float32}
    for name, value in vars(want).items():
        assert getattr(got, name).dtype == dtypes.get(name, np.int64)
        assert np.array_equal(getattr(got, name), value)


def test_several_kinds(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "out.npz",
        hard_rows=[2],
        hard_classes=[1],
        hard_weights=[0.875],
        soft_rows=[1],
        soft_weights=[0.5],
        soft_soft=np.array([[0.75, 0.25]], np.float32),
        drops=[3],
    )
    header = "row,kind,weight,classes,p\n"
    text = header + "2,hard,0.875,1,\n1,soft,0.5,0;1,0.75;0.25\n3,drop,0,,\n"
    (tmp_path / "out.csv").write_text(text)
    for name in ("out.npz", "out.csv"):
        mixed = upl.read(tmp_path / name)
        assert isinstance(mixed, upl.Mixed)
        assert mixed.labels is not None and mixed.soft is not None
        assert mixed.candidates is None
        assert mixed.labels.rows.tolist() == [2]
        assert mixed.labels.classes.tolist() == [1]
        assert mixed.soft.soft.tolist() == [[0.75, 0.25]]
        assert mixed.drops.tolist() == [3]


def test_one_kind_and_drops(tmp_path: Path) -> None:
    text = "row,kind,weight,classes,p\n4,candidates,1,0;3,\n1,drop,0,,\n"
    (tmp_path / "out.csv").write_text(text)
    sets = upl.read(tmp_path / "out.csv")
    assert isinstance(sets, upl.CandidateSets)
    assert (sets.classes.tolist(), sets.drops.tolist()) == ([0, 3], [1])
    (tmp_path / "out.csv").write_text("row,kind,weight,classes,p\n1,other,1,0,\n")
    with pytest.raises(ValueError, match="no known kind"):
        upl.read(tmp_path / "out.csv")


def test_no_selection(tmp_path: Path) -> None:
    np.savez(tmp_path / "out.npz", p=[1.0])
    with pytest.raises(ValueError, match="no selection: arrays p"):
        upl.read(tmp_path / "out.npz")
    (tmp_path / "out.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="no selection: columns a, b"):
        upl.read(tmp_path / "out.csv")
