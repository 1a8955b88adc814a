"""Encoding pictures from files: open_clip in PyTorch, fed by a DataLoader."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from compare import models
from compare.worker import timed


class Files(Dataset[torch.Tensor]):
    """Pictures, decoded and preprocessed."""

    def __init__(self, files: list[Path], transform: Any) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.files[index]) as image:
            pixels: torch.Tensor = self.transform(image)
        return pixels


def loader(data: Files, batch: int, workers: int, **how: Any) -> Any:
    """A DataLoader whose processes are forked, as a script's are: from a spawned process it would spawn them."""
    context = "fork" if workers else None
    return DataLoader(data, batch, num_workers=workers, multiprocessing_context=context, **how)


class TorchEncoder:
    """All pictures of a list, once; or the tower alone over a batch in memory."""

    def __init__(self, folder: Path, files: list[Path], batch: int, threads: int) -> None:
        torch.set_num_threads(threads)
        self.threads, self.batch = threads, batch
        self.model = models.load(folder)
        self.data = Files(files, models.transform(folder))
        self.pixels = torch.stack([self.data[i] for i in range(min(batch, len(files)))])
        self.workers = 0
        self.layout = torch.contiguous_format

    def configure(self, workers: int, channels_last: bool) -> None:
        """Sets the loader's processes, and the layout of weights and pictures."""
        self.workers = workers
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = self.model.to(memory_format=self.layout)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pixels.contiguous(memory_format=self.layout))
        return F.normalize(features, dim=-1)

    def run(self) -> npt.NDArray[np.float32]:
        """From files to features."""
        with torch.inference_mode():
            return torch.cat([self.encode(pixels) for pixels in loader(self.data, self.batch, self.workers)]).numpy()

    def measure_tower(self, runs: int) -> list[float]:
        """Seconds of a batch through the tower."""
        with torch.inference_mode():
            self.encode(self.pixels)  # not timed: what is made at first use is made
            return timed(lambda: self.encode(self.pixels), runs)

    def write_reference(self, file: Path, folder: Path) -> None:
        """Writes values for `upl-host model check --reference`, of the first batch."""
        with torch.inference_mode():
            features = self.encode(self.pixels)
        paths = np.array([str(path.relative_to(folder)) for path in self.data.files[: len(self.pixels)]])
        np.savez(
            file,
            pixels=self.pixels.numpy(),
            image_features=features.numpy(),
            paths=paths,
        )
