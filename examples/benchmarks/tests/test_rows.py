"""Rows, and what is written from them."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from compare import charts, document, table
from compare.rows import Bound, Findings, Row, Times

STEP = Row("prompt", "prompt step, 37 classes", 0.5, "s", "PyTorch", 4.0, Bound("at least", 8.5), 37)
RATE = Row("encode", "pictures", 30.0, "per s", "PyTorch", 20.0, Bound("at least", 1.2))
MEMORY = Row("prompt", "memory", 1.5, "GiB", bound=Bound("at most", 2.0))
MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "threads": 2,
    "flags": ["avx2"],
    "memory_bytes": 8 << 30,
    "system": "Linux",
    "versions": {"torch": "1"},
}


def test_a_ratio_is_how_many_times_as_fast() -> None:
    assert STEP.ratio == 8.0
    assert RATE.ratio == 1.5
    assert MEMORY.ratio is None


def test_bounds_are_on_the_ratio_or_else_on_the_figure() -> None:
    assert STEP.met is False
    assert RATE.met is True
    assert MEMORY.met is True
    assert Row("start", "--help", 51.0, "ms", bound=Bound("at most", 50.0)).met is False
    assert Row("start", "--help", 51.0, "ms").met is None


def test_records_leave_out_what_is_not_there() -> None:
    assert MEMORY.record() == {
        "benchmark": "prompt", "what": "memory", "ours": 1.5, "unit": "GiB", "bound": "at most 2", "met": True,
    }  # fmt: skip


def test_times() -> None:
    times = Times()
    times.add([3.0, 1.0])
    times.add([2.0])
    assert times.record() == {"median_s": 2.0, "min_s": 1.0, "seconds": [3.0, 1.0, 2.0]}


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.1234, "s", "0.123 s"),
        (1234.5, "s", "1,234 s"),
        (30.0, "per s", "30 / s"),
        (1.24e-6, "relative", "1.2e-06"),
        (0.655, "share", "65.5 %"),
        (1.2, "share", "120 %"),
    ],
)
def test_figures(value: float, unit: str, words: str) -> None:
    assert table.figure(value, unit) == words  # type: ignore[arg-type]


def test_markdown() -> None:
    text = table.markdown({"prompt": Findings([STEP, MEMORY], notes=["A note."])}, MACHINE, "make bench-compare")
    assert "| prompt step, 37 classes | 0.5 s | PyTorch | 4 s | **8 ×** | ≥ 8.5 × ✗ |" in text
    assert "| memory | 1.5 GiB |  |  |  | ≤ 2 GiB ✓ |" in text
    assert "A note." in text
    assert "a processor, 2 cores, avx2; 8 GiB; Linux." in text


def test_charts_are_svg() -> None:
    larger = Row("prompt", "prompt step, 101 <classes>", 1.0, "s", "PyTorch", 20.0, None, 101)
    alone = Row("prompt", "prompt step, 1000 classes", 10.0, "s", classes=1000)
    bars = ElementTree.fromstring(charts.ratios([STEP, larger, MEMORY]))
    assert len(bars.findall("{*}rect")) == 2
    widths = [float(bar.attrib["width"]) for bar in bars.findall("{*}rect")]
    assert widths[0] < widths[1]
    assert len(bars.findall("{*}line[@class='bound']")) == 1
    curves = ElementTree.fromstring(charts.step_times([STEP, larger, alone, MEMORY]))
    assert [len(line.attrib["points"].split()) for line in curves.findall("{*}polyline")] == [3, 2]


def test_a_ratio_below_one_has_a_bar_to_the_left() -> None:
    slower = Row("encode", "pictures", 10.0, "per s", "PyTorch", 20.0)
    bars = ElementTree.fromstring(charts.ratios([RATE, slower])).findall("{*}rect")
    left, right = (float(bars[i].attrib["x"]) for i in (1, 0))
    assert left + float(bars[1].attrib["width"]) == pytest.approx(right, abs=0.2)


def test_the_document_keeps_what_is_around_the_marks(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    file = tmp_path / "performance.md"
    file.write_text(f"# Title\n\n{document.BEGIN}\nold\n{document.END}\n\nMore.\n")
    for _ in range(2):
        document.write(tmp_path, "new\n", {"steps": "<svg/>"})
        chart = f"![{document.CAPTIONS['steps']}](images/performance-steps.svg)\n"
        assert file.read_text() == f"# Title\n\n{document.BEGIN}\n\nnew\n\n{chart}\n{document.END}\n\nMore.\n"
    assert (tmp_path / "images" / "performance-steps.svg").read_text() == "<svg/>"
    with pytest.raises(ValueError, match="has no lines"):
        document.replace("# Title\n", "new\n")


def test_the_repositorys_document_has_the_marks() -> None:
    text = (Path(__file__).parents[3] / "docs" / "performance.md").read_text()
    assert "new" in document.replace(text, "new\n")
