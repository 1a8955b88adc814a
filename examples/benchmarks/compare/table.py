"""The findings in Markdown."""

from typing import Any

from compare import machine as machines
from compare.rows import Findings, Row, Unit

TITLES = {
    "prompt": "Prompt learning",
    "encode": "Encoding pictures",
    "run": "A whole run",
    "select": "Ensemble and selection",
    "start": "Start-up",
}
LEAST = {"at least": "≥", "at most": "≤"}


def figure(value: float, unit: Unit) -> str:
    """A value with its unit, to three digits."""
    match unit:
        case "share":
            return f"{100 * value:.3g} %" if value < 1 else f"{100 * value:.0f} %"
        case "relative":
            return f"{value:.1e}"
        case "per s":
            return f"{number(value)} / s"
        case _:
            return f"{number(value)} {unit}"


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bound(row: Row) -> str:
    """What was asked for, with whether it is so."""
    if row.bound is None:
        return ""
    limit = f"{row.bound.value:g} ×" if row.ratio is not None else figure(row.bound.value, row.unit)
    return f"{LEAST[row.bound.kind]} {limit} {'✓' if row.met else '✗'}"


def line(row: Row) -> str:
    """A row of the table."""
    theirs = "" if row.theirs is None else figure(row.theirs, row.unit)
    ratio = "" if row.ratio is None else f"**{row.ratio:.3g} ×**"
    return f"| {row.what} | {figure(row.ours, row.unit)} | {row.against} | {theirs} | {ratio} | {bound(row)} |"


def markdown(findings: dict[str, Findings], machine: dict[str, Any], command: str) -> str:
    """All findings, a table a benchmark, with the machine and the command."""
    lines = [machines.in_words(machine), "", f"`{command}`", ""]
    for name, found in findings.items():
        lines += [
            f"### {TITLES[name]}",
            "",
            "| | upl-host | against | needs | times as fast | bound |",
            "|---|---|---|---|---|---|",
        ]
        lines += [line(row) for row in found.rows]
        lines += ["", *(f"{note}\n" for note in found.notes)]
    return "\n".join(lines).rstrip() + "\n"
