"""Encoding pictures, from JPEG files of 500 x 375 to features."""

from typing import Any

import numpy as np

from compare import data
from compare.rows import Bound, Findings, Row, Times
from compare.settings import Bench, Model
from compare.worker import Worker

LOADER, CHANNELS_LAST, ONNX = (
    "PyTorch, DataLoader",
    "PyTorch, DataLoader, channels last",
    "ONNX Runtime",
)
BOUNDS = {LOADER: 1.2, ONNX: 1.0}  # times as fast, at least
MEMORY = 1.5  # GiB, at most, of RN50
MORE = 4  # times as many pictures need no more memory
EQUAL = 5e-4  # largest difference of a feature, decoded here and there


def run(bench: Bench) -> Findings:
    """Measures both architectures."""
    found = Findings()
    files = data.write_pictures(bench.folder / "pictures", bench.sizes.pictures)
    for name in ("RN50", "ViT-B-32"):
        model = bench.model(name)
        onnx = model.checkpoint.parent / f"image-{bench.sizes.batch}.onnx"
        if not onnx.exists():
            with bench.worker("compare.onnx_encode.Exporter") as exporter:
                exporter.call("export", model.checkpoint, onnx, bench.sizes.batch)
        measure(bench, name, model, files, onnx, found)
        add_equality(bench, name, model, found)
    add_memory(bench, found)
    return found


def measure(bench: Bench, name: str, model: Model, files: list[Any], onnx: Any, found: Findings) -> None:
    """Measures one architecture, the sides in turn, each reference as it is fastest."""
    arguments = (model.checkpoint, files, bench.sizes.batch, bench.threads)
    reports: list[Any] = []
    sides: dict[str, Times] = {LOADER: Times(), CHANNELS_LAST: Times(), ONNX: Times()}
    towers: dict[str, Times] = {side: Times() for side in sides}
    with (
        bench.worker("compare.torch_encode.TorchEncoder", *arguments) as torch,
        bench.worker("compare.onnx_encode.OnnxEncoder", onnx, *arguments) as runtime,
    ):
        workers = {LOADER: torch, CHANNELS_LAST: torch, ONNX: runtime}
        best = {
            LOADER: fastest(torch, [(n, False) for n in (0, 1, 2)]),
            CHANNELS_LAST: fastest(torch, [(n, True) for n in (0, 1, 2)]),
            ONNX: fastest(runtime, [(n,) for n in (1, 2)]),
        }
        for _ in range(bench.sizes.rounds):
            reports.append(ours(bench, model))
            for side, worker in workers.items():
                worker.call("configure", *best[side])
                sides[side].add(worker.measure(1))
                towers[side].add(worker.call("measure_tower", bench.sizes.steps))
        torch.call(
            "write_reference",
            bench.folder / f"reference-{name}.npz",
            bench.folder / "pictures",
        )
        difference = float(np.abs(torch.call("run") - runtime.call("run")).max())
        memory = {LOADER: torch.peak_memory(), ONNX: runtime.peak_memory()}
    add_rows(bench, name, reports, sides, towers, found)
    found.measured[name] = {
        "upl-host": reports,
        "configuration": {side: list(arguments) for side, arguments in best.items()},
        "files": {side: times.record() for side, times in sides.items()},
        "tower": {side: times.record() for side, times in towers.items()},
        "rss_bytes": memory,
        "PyTorch and ONNX Runtime, largest difference": difference,
    }


def ours(bench: Bench, model: Model, *arguments: str) -> Any:
    """upl-host's own measurement."""
    where = arguments or ("--images", str(bench.folder / "pictures"))
    runs = "1" if bench.sizes.small else "2"
    batch = str(bench.sizes.batch)
    return bench.host.bench("encode", "--model", model.folder, *where, "--batch", batch, "--runs", runs)


def fastest(worker: Worker, configurations: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Tries each configuration once."""
    seconds = []
    for configuration in configurations:
        worker.call("configure", *configuration)
        seconds += worker.measure(1)
    return configurations[seconds.index(min(seconds))]


def add_rows(
    bench: Bench,
    name: str,
    reports: list[Any],
    sides: dict[str, Times],
    towers: dict[str, Times],
    found: Findings,
) -> None:
    """Adds pictures per second, from files and of the tower alone."""
    items = reports[0]["items"]
    rate = float(np.median([report["items_per_s"] for report in reports]))
    tower = float(np.median([items / report["tower_s"] for report in reports]))
    for side, times in sides.items():
        bound = Bound("at least", BOUNDS[side]) if side in BOUNDS else None
        theirs = bench.sizes.pictures / times.median
        found.rows.append(
            Row(
                "encode",
                f"pictures from files, {name}",
                rate,
                "per s",
                side,
                theirs,
                bound,
            )
        )
    for side, times in towers.items():
        theirs = bench.sizes.batch / times.median
        found.rows.append(Row("encode", f"the image tower alone, {name}", tower, "per s", side, theirs))


def add_equality(bench: Bench, name: str, model: Model, found: Findings) -> None:
    """Adds the difference of features from PyTorch's, each side decoding for itself."""
    reference = (
        "--reference",
        bench.folder / f"reference-{name}.npz",
        "--images",
        bench.folder / "pictures",
    )
    report = bench.host.json("model", "check", model.folder, *reference, expected=(0, 1))
    worst = max(item["measured"] for item in report["items"] if item["name"] == "image_features")
    what = f"features of pictures, {name}: largest difference from PyTorch's"
    found.rows.append(Row("encode", what, worst, "relative", bound=Bound("at most", EQUAL)))
    found.measured[f"{name}, checked"] = report["items"]


def add_memory(bench: Bench, found: Findings) -> None:
    """Adds the memory that RN50 needs for few pictures and for many."""
    model = bench.model("RN50")
    for pictures in (bench.sizes.pictures, MORE * bench.sizes.pictures):
        report = ours(bench, model, "--pictures", str(pictures))
        what = f"pictures from files, RN50: resident memory, {pictures:,} pictures"
        resident = report["rss_bytes"] / (1 << 30)
        found.rows.append(Row("encode", what, resident, "GiB", bound=Bound("at most", MEMORY)))
        found.measured[f"RN50, {pictures} pictures"] = report
