"""Charts as SVG, for light and dark backgrounds."""

import math
from html import escape

from compare.rows import Row

WIDTH, LINE, LABEL = 840, 26, 410  # pixels
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.axis { stroke: #d0d7de; stroke-width: 1 }
.bound { stroke: #cf222e; stroke-width: 2 }
.a { fill: #0969da; stroke: #0969da } .b { fill: #8250df; stroke: #8250df } .c { fill: #bf8700; stroke: #bf8700 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .axis { stroke: #3d444d } .small { fill: #9198a1 }
.a { fill: #58a6ff; stroke: #58a6ff } .b { fill: #bc8cff; stroke: #bc8cff } .c { fill: #d29922; stroke: #d29922 }
}
</style>"""


def document(height: float, title: str, parts: list[str]) -> str:
    """An SVG file."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
            f"<title>{escape(title)}</title>",
            STYLE,
            *parts,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, anchor: str = "start", style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>'


def segment(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def ratios(rows: list[Row]) -> str:
    """Bars of how many times as fast upl-host is, on a logarithmic axis; a red mark is the bound."""
    rows = [row for row in rows if row.ratio is not None]
    most = max([row.ratio or 1 for row in rows] + [row.bound.value for row in rows if row.bound])
    least = min(1.0, *(row.ratio or 1 for row in rows))
    low, high = math.floor(math.log2(least)), math.ceil(math.log2(most))

    def place(ratio: float) -> float:
        return LABEL + (WIDTH - LABEL - 60) * (math.log2(ratio) - low) / max(1, high - low)

    bottom = LINE * (2 * len(rows)) + 8.0
    parts = []
    for power in range(low, high + 1):
        parts.append(segment(place(2**power), 4, place(2**power), bottom, "axis"))
        parts.append(text(place(2**power), bottom + 16, f"{2.0**power:g} ×", "middle", "small"))
    for number, row in enumerate(rows):
        ratio, top = row.ratio or 1, 2 * LINE * number + 8.0
        start, end = sorted((place(1), place(ratio)))
        parts += [
            text(LABEL - 8, top + 15, row.what, "end"),
            text(LABEL - 8, top + 31, f"against {row.against}", "end", "small"),
            f'<rect x="{start:.1f}" y="{top:.1f}" width="{end - start:.1f}" height="{LINE + 6}" class="a"/>',
            text(max(start, end) + 6, top + 21, f"{ratio:.3g} ×"),
        ]
        if row.bound:
            parts.append(
                segment(
                    place(row.bound.value),
                    top - 3,
                    place(row.bound.value),
                    top + LINE + 9,
                    "bound",
                )
            )
    return document(bottom + 24, "How many times as fast upl-host is, and what was asked for", parts)


def step_times(rows: list[Row]) -> str:
    """Seconds of a prompt step over the number of classes, both axes logarithmic."""
    curves: dict[str, dict[int, float]] = {"upl-host": {}}
    for row in rows:
        if row.classes is None:
            continue
        curves["upl-host"][row.classes] = row.ours
        if row.theirs is not None:
            curves.setdefault(row.against, {})[row.classes] = row.theirs
    counts = sorted(curves["upl-host"])
    values = [value for curve in curves.values() for value in curve.values()]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    left, right, top, bottom = 70.0, WIDTH - 190.0, 16.0, 330.0

    def across(classes: int) -> float:
        span = math.log(counts[-1] / counts[0]) or 1
        return left + (right - left) * math.log(classes / counts[0]) / span

    def down(seconds: float) -> float:
        return bottom - (bottom - top) * (math.log10(seconds) - low) / max(1, high - low)

    parts = [text(left, bottom + 36, "classes", style="small")]
    for power in range(low, high + 1):
        parts.append(segment(left, down(10**power), right, down(10**power), "axis"))
        parts.append(text(left - 8, down(10**power) + 4, f"{10.0**power:g} s", "end", "small"))
    parts += [text(across(count), bottom + 18, f"{count:,}", "middle", "small") for count in counts]
    for style, (name, curve) in zip("abc", curves.items()):
        points = [(across(count), down(seconds)) for count, seconds in sorted(curve.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" class="{style}" style="fill: none; stroke-width: 2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{style}"/>' for x, y in points]
        parts.append(text(points[-1][0] + 10, points[-1][1] + 4, name))
    return document(bottom + 48, "Seconds of a prompt step over the number of classes", parts)
