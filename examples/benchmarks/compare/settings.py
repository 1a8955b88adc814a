"""What all benchmarks share: sizes, folders, models."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare import worker
from compare.host import Host


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    small: bool  # models
    rounds: int  # of the sides in turn
    steps: int  # of the reference's, a round
    classes: tuple[int, ...]
    pictures: int
    batch: int
    run_classes: int
    run_pictures: int  # a class
    run_epochs: int
    run_steps: int  # of the reference's that are timed
    rows: int
    columns: int


FULL = Sizes(
    small=False, rounds=3, steps=3, classes=(37, 101, 397, 1000), pictures=256, batch=32,
    run_classes=50, run_pictures=40, run_epochs=50, run_steps=20, rows=640_000, columns=1000,
)  # fmt: skip
QUICK = Sizes(
    small=True, rounds=1, steps=1, classes=(37, 1000), pictures=16, batch=8,
    run_classes=5, run_pictures=8, run_epochs=2, run_steps=2, rows=2_000, columns=50,
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """One set of weights: open_clip's files, and what `upl-host export` makes of them."""

    checkpoint: Path
    folder: Path


class Bench:
    """The settings of a comparison, and what is made for it once."""

    def __init__(self, host: Host, folder: Path, sizes: Sizes) -> None:
        self.host, self.folder, self.sizes = host, folder, sizes
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def threads(self) -> int:
        return self.host.threads

    def runs(self) -> tuple[str, str]:
        """How long a benchmark of upl-host's own measures in a round."""
        return ("--runs", "1") if self.sizes.small else ("--duration", "5s")

    def worker(self, make: str, *arguments: Any) -> AbstractContextManager[worker.Worker]:
        """Builds a reference in a process of its own, on as many threads."""
        return worker.worker(self.threads, make, *arguments)

    def model(self, name: str) -> Model:
        """A model with random weights, written and exported where it is not there yet."""
        root = self.folder / "models" / ("small" if self.sizes.small else "full") / name
        model = Model(root / "open_clip", root / "exported")
        if not model.folder.exists():
            with self.worker("compare.models.Writer") as writer:
                writer.call("write", model.checkpoint, name, self.sizes.small)
            self.host.run("export", model.checkpoint, "-o", model.folder)
        return model
