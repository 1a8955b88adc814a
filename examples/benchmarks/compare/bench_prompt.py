"""A step of prompt learning: the loss's gradient in the context, through the text tower."""

import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from compare import data
from compare.rows import Bound, Findings, Row, Times
from compare.settings import Bench

PADDED, TRUNCATED = "PyTorch, 77 tokens", "PyTorch, truncated"
MOST_PADDED = 101  # classes; 397 padded to 77 tokens are 10 GiB and a minute a step
BOUNDS = {
    (37, PADDED): 8.5,
    (101, PADDED): 18.0,
    (397, TRUNCATED): 7.0,
}  # times as fast, at least
MEMORY = {397: 2.0, 1000: 3.0}  # GiB, at most
EQUAL = 1e-4  # relative L2 distance of gradients, at most
TOGETHER = {37: 6, 101: 2}  # seeds that a run trains side by side
USEFUL = 0.65  # of the rate of large matrix products, at least


def run(bench: Bench) -> Findings:
    """Measures each number of classes."""
    found = Findings()
    for count in bench.sizes.classes:
        measure(bench, count, found)
    return found


def measure(bench: Bench, count: int, found: Findings) -> None:
    """Measures one number of classes, the sides in turn."""
    names = data.class_names(count)
    file = bench.folder / f"classes-{count}.txt"
    file.write_text("\n".join(names) + "\n")
    sides = {PADDED: False} if count <= MOST_PADDED else {}
    if count < 1000:
        sides[TRUNCATED] = True
    model = bench.model("RN50")
    reference = bench.folder / f"reference-{count}.npz"
    ours, theirs = Times(), {side: Times() for side in sides}
    reports: list[Any] = []
    arguments = (model.checkpoint, names, bench.threads)
    with ExitStack() as stack:
        workers = {
            side: stack.enter_context(bench.worker("compare.torch_prompt.PromptStep", *arguments, truncated))
            for side, truncated in sides.items()
        }
        for _ in range(bench.sizes.rounds):
            reports.append(
                bench.host.bench(
                    "prompt",
                    "--model",
                    model.folder,
                    "--class-names",
                    file,
                    *bench.runs(),
                )
            )
            ours.add([reports[-1]["median_s"]])
            for side, worker in workers.items():
                theirs[side].add(worker.measure(bench.sizes.steps))
        memory = {side: worker.peak_memory() for side, worker in workers.items()}
        if workers:
            next(iter(workers.values())).call("write_reference", reference)
    add_rows(found, count, ours, theirs, reports)
    if count in TOGETHER:
        add_together(bench, found, count, model.folder, file)
    if sides:
        add_equality(bench, found, count, model.folder, reference)
    found.measured[f"{count} classes"] = {
        "upl-host": {**ours.record(), "reports": reports},
        **{side: {**times.record(), "rss_bytes": memory[side]} for side, times in theirs.items()},
    }


def add_rows(
    found: Findings,
    count: int,
    ours: Times,
    theirs: dict[str, Times],
    reports: list[Any],
) -> None:
    """Adds times, memory and the useful rate."""
    what = f"prompt step, {count} classes"
    for side, times in theirs.items():
        limit = BOUNDS.get((count, side))
        bound = Bound("at least", limit) if limit else None
        found.rows.append(Row("prompt", what, ours.median, "s", side, times.median, bound, count))
    if not theirs:
        found.rows.append(Row("prompt", what, ours.median, "s", classes=count))
    memory = max(report["rss_bytes"] for report in reports) / (1 << 30)
    limit = MEMORY.get(count)
    bound = Bound("at most", limit) if limit else None
    found.rows.append(Row("prompt", f"{what}: resident memory", memory, "GiB", bound=bound))
    useful = statistics.median(report["gflops"] / report["peak_gflops"] for report in reports)
    found.rows.append(
        Row(
            "prompt",
            f"{what}: useful rate of sgemm's",
            useful,
            "share",
            bound=Bound("at least", USEFUL),
        )
    )


def add_together(bench: Bench, found: Findings, count: int, model: Path, names: Path) -> None:
    """Adds a step of one of several seeds side by side, as a run trains them."""
    seeds = TOGETHER[count]
    report = bench.host.bench("prompt", "--model", model, "--class-names", names, "--seeds", str(seeds), *bench.runs())
    what = f"prompt step, {count} classes, {seeds} seeds side by side"
    found.rows.append(Row("prompt", f"{what}: a seed's", report["median_s"] / seeds, "s"))
    useful = report["gflops"] / report["peak_gflops"]
    found.rows.append(
        Row("prompt", f"{what}: useful rate of sgemm's", useful, "share", bound=Bound("at least", USEFUL))
    )
    found.measured[f"{count} classes, {seeds} seeds"] = report


def add_equality(bench: Bench, found: Findings, count: int, model: Path, reference: Path) -> None:
    """Adds the distance of upl-host's gradients from PyTorch's, on the same weights."""
    report = bench.host.json("model", "check", model, "--reference", reference, expected=(0, 1))
    items = [item for item in report["items"] if item["name"].startswith("gradient")]
    if not items:
        raise RuntimeError(f"model check compared no gradient: {report}")
    what = f"prompt step, {count} classes: gradient's distance from PyTorch's"
    worst = max(item["measured"] for item in items)
    found.rows.append(Row("prompt", what, worst, "relative", bound=Bound("at most", EQUAL)))
    found.measured[f"{count} classes, checked"] = report["items"]
