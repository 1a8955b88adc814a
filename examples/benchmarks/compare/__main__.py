"""The command: `python -m compare`, or `make bench-compare`."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compare import (
    bench_encode,
    bench_prompt,
    bench_run,
    bench_select,
    bench_start,
    charts,
    document,
    machine,
    table,
)
from compare.host import Host
from compare.rows import Findings
from compare.settings import FULL, QUICK, Bench, Sizes

REPOSITORY = Path(__file__).resolve().parents[3]
BENCHMARKS: dict[str, Callable[[Bench], Findings]] = {
    "prompt": bench_prompt.run,
    "encode": bench_encode.run,
    "run": bench_run.run,
    "select": bench_select.run,
    "start": bench_start.run,
}


def whole_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-compare", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small models and few data: tries the comparison out",
    )
    parser.add_argument("--only", default=",".join(BENCHMARKS), help=f"some of {','.join(BENCHMARKS)}")
    parser.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="on every side (default: all)",
    )
    parser.add_argument("--rounds", type=int, help="how often the sides take turns")
    parser.add_argument("--classes", type=whole_numbers, help="numbers of classes, such as 37,101")
    parser.add_argument("--rows", type=int, help="rows of probabilities to select from")
    parser.add_argument("--host", type=Path, default=REPOSITORY / "bin/upl-host", help="the program")
    parser.add_argument(
        "--out",
        type=Path,
        default=REPOSITORY / "build/compare",
        help="folder of what is written",
    )
    parser.add_argument(
        "--write-docs",
        action="store_true",
        help="write the findings into docs/performance.md",
    )
    given = parser.parse_args()
    given.only = given.only.split(",")
    if unknown := set(given.only) - set(BENCHMARKS):
        parser.error(f"--only {','.join(sorted(unknown))}: want some of {', '.join(BENCHMARKS)}")
    if given.write_docs and (given.quick or set(given.only) != set(BENCHMARKS)):
        parser.error("--write-docs: docs/performance.md has one whole run, not --quick nor --only")
    return given


def sizes(given: argparse.Namespace) -> Sizes:
    """What is measured, with what the command line changes."""
    changes = {name: value for name in ("rounds", "classes", "rows") if (value := getattr(given, name)) is not None}
    return dataclasses.replace(QUICK if given.quick else FULL, **changes)


def write_results(
    folder: Path, findings: dict[str, Findings], about: dict[str, Any], command: str
) -> tuple[str, dict[str, str]]:
    """Writes all that was found so far; returns it in Markdown, and the charts."""
    rows = [row for found in findings.values() for row in found.rows]
    results = {
        "command": command,
        "machine": about,
        "rows": [row.record() for row in rows],
        "notes": [note for found in findings.values() for note in found.notes],
        "measured": {name: found.measured for name, found in findings.items()},
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = table.markdown(findings, about, command)
    (folder / "results.md").write_text(text)
    drawn = {}
    if any(row.ratio is not None for row in rows):
        drawn["ratios"] = charts.ratios(rows)
    if any(row.classes is not None for row in rows):
        drawn["steps"] = charts.step_times(rows)
    for name, chart in drawn.items():
        (folder / f"{name}.svg").write_text(chart)
    return text, drawn


def unbounded(found: Findings) -> Findings:
    """Small models and few data keep no bounds but that of equality."""
    rows = [row if row.unit == "relative" else dataclasses.replace(row, bound=None) for row in found.rows]
    return dataclasses.replace(found, rows=rows)


def main() -> int:
    given = arguments()
    host = Host(given.host, given.threads)
    bench = Bench(host, given.out, sizes(given))
    about = machine.describe(host)
    command = " ".join(["make bench-compare", *sys.argv[1:]])
    findings: dict[str, Findings] = {}
    text, drawn = "", dict[str, str]()
    for name in BENCHMARKS:
        if name in given.only:
            print(f"== {name}", file=sys.stderr, flush=True)
            found = BENCHMARKS[name](bench)
            findings[name] = unbounded(found) if given.quick else found
            text, drawn = write_results(given.out, findings, about, command)
    print(text)
    if given.write_docs:
        document.write(REPOSITORY / "docs", text, drawn)
    differ = [row for found in findings.values() for row in found.rows if row.unit == "relative" and not row.met]
    for row in differ:
        print(f"error: {table.line(row)}", file=sys.stderr)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
