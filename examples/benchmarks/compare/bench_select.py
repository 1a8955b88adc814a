"""The ensemble mean of several models' probabilities, and the most confident rows of each class."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from compare import numpy_topk
from compare.rows import Bound, Findings, Row, Times
from compare.settings import Bench

MODELS, K = 3, 16
MEMORY = 0.5  # GiB, at most
FASTER = 3.0  # than numpy, at least
# Half the rows take half the time, to that much.
LINEAR = 1.2


def run(bench: Bench) -> Findings:
    """Measures all rows, and half of them."""
    found = Findings()
    files = probabilities(bench, bench.sizes.rows)
    half = probabilities(bench, bench.sizes.rows // 2)
    try:
        measure(bench, files, half, found)
        compare_picks(bench, files, found)
    finally:
        for file in files + half:
            file.unlink()
    return found


def probabilities(bench: Bench, rows: int) -> list[Path]:
    """Writes the models' files."""
    files = [bench.folder / f"probabilities-{rows}-{model}.npy" for model in range(MODELS)]
    for model, file in enumerate(files):
        numpy_topk.write(file, rows, bench.sizes.columns, model)
    return files


def measure(bench: Bench, files: list[Path], half: list[Path], found: Findings) -> None:
    """Times the sides in turn."""
    make = "compare.numpy_topk.TopK"
    sides = {
        "numpy": (make, 1),
        "numpy, whole arrays": ("compare.numpy_topk.WholeTopK", 1),
    }
    if bench.threads > 1:
        sides[f"numpy, {bench.threads} threads"] = (make, bench.threads)
    ours, ours_half, theirs = Times(), Times(), {side: Times() for side in sides}
    reports: list[Any] = []
    with ExitStack() as stack:
        workers = {side: stack.enter_context(bench.worker(make, files, K, n)) for side, (make, n) in sides.items()}
        for _ in range(bench.sizes.rounds):
            reports.append(select(bench, files))
            ours.add([reports[-1]["median_s"]])
            ours_half.add([select(bench, half)["median_s"]])
            for side, worker in workers.items():
                theirs[side].add(worker.measure(1))
        memory = {side: worker.peak_memory() for side, worker in workers.items()}
    sizes = f"{bench.sizes.rows:,} x {bench.sizes.columns:,} x {MODELS}"
    what = f"ensemble mean and top {K} a class, {sizes}"
    for side, times in theirs.items():
        bound = Bound("at least", FASTER) if side == "numpy" else None
        found.rows.append(Row("select", what, ours.median, "s", side, times.median, bound))
    resident = max(report["rss_bytes"] for report in reports) / (1 << 30)
    found.rows.append(
        Row(
            "select",
            f"{what}: resident memory",
            resident,
            "GiB",
            bound=Bound("at most", MEMORY),
        )
    )
    growth = ours.median / (2 * ours_half.median)
    bound = Bound("at most", LINEAR)
    found.rows.append(
        Row(
            "select",
            f"{what}: time of a row, of that with half the rows",
            growth,
            "share",
            bound=bound,
        )
    )
    found.measured["select"] = {
        "upl-host": {**ours.record(), "reports": reports},
        "upl-host, half the rows": ours_half.record(),
        **{side: {**times.record(), "rss_bytes": memory[side]} for side, times in theirs.items()},
    }


def select(bench: Bench, files: list[Path]) -> Any:
    """upl-host's own measurement."""
    named = [argument for file in files for argument in ("-p", file)]
    return bench.host.bench(
        "select",
        *named,
        "--policy",
        "top-k",
        "--runs",
        "1" if bench.sizes.small else "2",
    )


def compare_picks(bench: Bench, files: list[Path], found: Findings) -> None:
    """Adds the share of rows that both sides pick for the same class."""
    output = bench.folder / "selection.npz"
    named = [argument for file in files for argument in ("-p", file)]
    bench.host.run("select", *named, "--policy", "top-k", "--params", f'{{"k": {K}}}', "-o", output)
    with np.load(output) as selection:
        ours = set(zip(selection["rows"].tolist(), selection["classes"].tolist()))
    rows, classes = numpy_topk.TopK(files, K, bench.threads).run()
    theirs = set(zip(rows.tolist(), classes.tolist()))
    share = len(ours & theirs) / max(1, len(ours | theirs))
    found.rows.append(
        Row(
            "select",
            f"the same top {K} as numpy's",
            share,
            "share",
            bound=Bound("at least", 0.999),
        )
    )
    found.measured["picks"] = {
        "upl-host": len(ours),
        "numpy": len(theirs),
        "both": len(ours & theirs),
    }
