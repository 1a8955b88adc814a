"""A whole run of UPL: zero-shot, pseudo labels, prompt learning, test."""

import csv
import json
import shutil
import time
from pathlib import Path
from typing import Any

from compare import data
from compare.rows import Bound, Findings, Row
from compare.settings import Bench, Model

K, BATCH = 16, 32
FIRST, SECOND = 8.0, 12.0  # times as fast, at least
WORKERS = 2  # of the reference's loaders
AGAINST = "PyTorch, pictures encoded in each step"
CENTRING = 64  # pictures that the model's features are centred over


def run(bench: Bench) -> Findings:
    """Measures upl-host's run twice, with cold and with warm cache, between the reference's stages."""
    sizes, found = bench.sizes, Findings()
    pictures = bench.folder / f"run-{sizes.run_classes}x{sizes.run_pictures}"
    files = data.write_pictures(pictures, sizes.run_classes * sizes.run_pictures, sizes.run_classes)
    names = data.class_names(sizes.run_classes)
    model = centred(bench, files, names)
    with bench.worker("compare.torch_upl.Upl", model.checkpoint, files, names, WORKERS, bench.threads) as reference:
        zero_shot, picks = reference.call("zero_shot")
        first = whole_run(bench, "first", model, pictures, names, fresh=True)
        batch, seconds = reference.call("train", sizes.run_steps)
        second = whole_run(bench, "second", model, pictures, names, fresh=False)
        test = reference.call("test")
        memory = reference.peak_memory()
    step = seconds / sizes.run_steps
    steps = sizes.run_epochs * max(1, first["pseudo_labels"] // BATCH)
    theirs = zero_shot + steps * step + test
    what = f"UPL, {sizes.run_classes} classes x {sizes.run_pictures} pictures, {sizes.run_epochs} epochs"
    found.rows += [
        Row(
            "run",
            f"{what}: first",
            first["seconds"],
            "s",
            AGAINST,
            theirs,
            Bound("at least", FIRST),
        ),
        Row(
            "run",
            f"{what}: features cached",
            second["seconds"],
            "s",
            AGAINST,
            theirs,
            Bound("at least", SECOND),
        ),
    ]
    found.notes.append(
        f"PyTorch's run is {zero_shot:.1f} s of zero-shot, {steps:,} steps of {step:.2f} s and {test:.1f} s of test; "
        f"{sizes.run_steps} steps were timed, with {batch} pictures each, and the others counted as many times."
    )
    found.measured["upl-host"] = [first, second]
    found.measured[AGAINST] = {
        "zero_shot_s": zero_shot, "step_s": step, "steps": steps, "steps_timed": sizes.run_steps,
        "batch": batch, "test_s": test, "rss_bytes": memory, "pseudo_labels": len(picks),
        "pseudo_labels_as_ours": sum(names[label] == first["labels"].get(file) for file, label in picks.items()),
    }  # fmt: skip
    for record in (first, second):
        del record["labels"]
    return found


def centred(bench: Bench, files: list[Path], names: list[str]) -> Model:
    """RN50 with random weights whose features differ from picture to picture."""
    plain = bench.model("RN50")
    root = plain.folder.parent.parent / f"RN50-centred-{len(names)}"
    model = Model(root / "open_clip", root / "exported")
    if not model.folder.exists():
        with bench.worker("compare.models.Writer") as writer:
            some = files[:: max(1, len(files) // CENTRING)]
            texts = [f"a photo of a {name}." for name in names]
            writer.call("write_centred", model.checkpoint, plain.checkpoint, some, texts)
        bench.host.run("export", model.checkpoint, "-o", model.folder)
    return model


def whole_run(bench: Bench, name: str, model: Model, pictures: Path, names: list[str], fresh: bool) -> dict[str, Any]:
    """Runs upl-host in a new run folder; fresh begins with an empty cache."""
    folder, cache = bench.folder / f"run-{name}", bench.folder / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    classes = bench.folder / "run-classes.txt"
    classes.write_text("".join(f"class {number:03}\t{name}\n" for number, name in enumerate(names)))
    file = bench.folder / f"run-{name}.json"
    file.write_text(json.dumps(configuration(bench, model, pictures, classes, cache), indent=1))
    start = time.perf_counter()
    bench.host.run("run", "-c", file, "--out", folder)
    seconds = time.perf_counter() - start
    with (folder / "pseudo_labels.csv").open(newline="") as table:
        labels = {Path(row["path"]).name: row["class"] for row in csv.DictReader(table)}
    manifest = json.loads((folder / "manifest.json").read_text())
    return {
        "seconds": seconds,
        "pseudo_labels": len(labels),
        "labels": labels,
        "stages": manifest["stages"],
        "rss_bytes": manifest["peak_memory_bytes"],
    }


def configuration(bench: Bench, model: Model, pictures: Path, classes: Path, cache: Path) -> dict[str, Any]:
    """UPL's settings, one seed."""
    return {
        "models": [{"path": str(model.folder.resolve())}],
        "dataset": {"path": str(pictures.resolve()), "classes": str(classes.resolve())},
        "prompt": {"template": "a photo of a {}."},
        "label": {"selection": {"plugin": "top-k", "params": {"k": K}}},
        "learn": {"seeds": 1, "epochs": bench.sizes.run_epochs, "batch_size": BATCH},
        "run": {"threads": bench.threads},
        "cache": {"dir": str(cache.resolve())},
    }
