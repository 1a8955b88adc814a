"""What both sides compute upon, and the sides that need no PyTorch."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compare import data, numpy_topk
from compare.host import Host
from compare.worker import worker


def test_class_names_are_those_of_data_sets() -> None:
    for count, first, last in ((37, "abyssinian", "yorkshire terrier"), (101, "apple pie", "waffles")):
        names = data.class_names(count)
        assert len(set(names)) == count
        assert (names[0], names[-1]) == (first, last)


def test_class_names_of_other_sizes_are_imagenets() -> None:
    pytest.importorskip("open_clip")
    for count in (50, 397, 1000):
        assert len(set(data.class_names(count))) == count


def test_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    first = data.write_pictures(tmp_path / "a", 3, classes=2)
    second = data.write_pictures(tmp_path / "b", 3, classes=2)
    assert [file.parent.name for file in first] == ["class 000", "class 001", "class 000"]
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert len({file.read_bytes() for file in first}) == 3
    with Image.open(first[0]) as image:
        assert image.size == (500, 375)


def write_models(folder: Path, rows: int, columns: int) -> list[Path]:
    files = [folder / f"{model}.npy" for model in range(3)]
    for model, file in enumerate(files):
        numpy_topk.write(file, rows, columns, model)
    return files


def test_probabilities_are_softmax_rows_of_models_that_mostly_agree(tmp_path: Path) -> None:
    rows, columns = numpy_topk.BLOCK + 100, 12
    models = [np.load(file) for file in write_models(tmp_path, rows, columns)]
    for model in models:
        assert model.shape == (rows, columns)
        np.testing.assert_allclose(model.sum(1), 1, rtol=1e-5)
    assert 0.5 < (models[0].argmax(1) == models[1].argmax(1)).mean() < 1
    assert not (models[0] == models[1]).any()


@pytest.mark.parametrize("threads", [1, 2])
def test_top_k_is_that_of_a_loop(tmp_path: Path, threads: int) -> None:
    rows, columns, k = 2 * numpy_topk.BLOCK + 77, 12, 5
    files = write_models(tmp_path, rows, columns)
    mean = np.mean([np.load(file) for file in files], axis=0)
    predicted = mean.argmax(1)
    want = set()
    for c in range(columns):
        members = np.flatnonzero(predicted == c)
        best = members[np.argsort(-mean[members, c], kind="stable")][:k]
        want |= {(int(row), c) for row in best}
    picked, classes = numpy_topk.TopK(files, k, threads).run()
    assert set(zip(picked.tolist(), classes.tolist())) == want


def test_a_worker_is_another_process(tmp_path: Path) -> None:
    files = write_models(tmp_path, 100, 4)
    with worker(1, "compare.numpy_topk.TopK", files, 2, 1) as there:
        assert [seconds > 0 for seconds in there.measure(2)] == [True, True]
        picked, classes = there.call("run")
        assert there.peak_memory() > 1 << 20
    assert len(picked) == len(classes) == 8


def test_what_a_worker_raises_is_raised_here() -> None:
    with pytest.raises(AttributeError, match="Nothing"), worker(1, "compare.numpy_topk.Nothing"):
        pass


def test_a_command_that_fails_is_shown() -> None:
    host = Host(Path(sys.executable), 1)
    assert host.run("-c", "print(1)") == "1\n"
    assert host.timed("-c", "print(1)") > 0
    with pytest.raises(RuntimeError, match="ended with 3\nwhy\n"):
        host.run("-c", "import sys; sys.stderr.write('why\\n'); sys.exit(3)", quiet=True)
    assert host.run("-c", "import sys; sys.exit(3)", expected=(0, 3)) == ""
