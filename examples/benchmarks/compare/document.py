"""docs/performance.md: what is written into it, and what stays a person's."""

from pathlib import Path

BEGIN, END = (
    "<!-- bench-compare begins: written by make bench-compare -->",
    "<!-- bench-compare ends -->",
)

CAPTIONS = {
    "ratios": "How many times as fast upl-host is; red: what was asked for",
    "steps": "Seconds of a prompt step over the number of classes",
}


def replace(document: str, text: str) -> str:
    """The document with another text between the marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def write(docs: Path, text: str, charts: dict[str, str]) -> None:
    """Writes the findings into docs/performance.md, and its charts beside the other pictures."""
    pictures = ""
    for name, chart in charts.items():
        (docs / "images" / f"performance-{name}.svg").write_text(chart)
        pictures += f"\n![{CAPTIONS[name]}](images/performance-{name}.svg)\n"
    file = docs / "performance.md"
    file.write_text(replace(file.read_text(), text + pictures))
