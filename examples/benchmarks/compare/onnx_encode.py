"""Encoding pictures from files: the same model in ONNX Runtime, pictures decoded beside it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from PIL import Image

from compare import models
from compare.worker import timed

Pixels = npt.NDArray[np.float32]


class Tower(torch.nn.Module):
    """The image tower with its normalisation."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(self.model.encode_image(pixels), dim=-1)


class Exporter:
    """Makes models for the runtime in a process of its own."""

    def export(self, folder: Path, file: Path, batch: int) -> None:
        """Writes a model's image tower for batches of one size, which suits the runtime best."""
        model = models.load(folder)
        size = model.visual.image_size
        height, width = size if isinstance(size, tuple) else (size, size)
        torch.onnx.export(
            Tower(model).eval(),
            (torch.zeros(batch, 3, height, width),),
            file,
            input_names=["pixels"],
            output_names=["features"],
            dynamo=True,
            external_data=False,
            verbose=False,
        )


class OnnxEncoder:
    """All pictures of a list, once; or the tower alone over a batch in memory."""

    def __init__(self, file: Path, folder: Path, files: list[Path], batch: int, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.transform: Any = models.transform(folder)
        self.files, self.batch, self.workers = files, batch, 1
        self.pixels = np.stack([self.decode(file) for file in (files * batch)[:batch]])

    def configure(self, workers: int) -> None:
        """Sets the threads that decode."""
        self.workers = workers

    def decode(self, file: Path) -> Pixels:
        with Image.open(file) as image:
            pixels: Pixels = self.transform(image).numpy()
        return pixels

    def batches(self, pool: ThreadPoolExecutor) -> Iterator[Pixels]:
        """Batches of one size, the last filled up; two are decoded ahead."""
        ahead: list[list[Future[Pixels]]] = []
        for start in range(0, len(self.files), self.batch):
            ahead.append([pool.submit(self.decode, file) for file in self.files[start : start + self.batch]])
            if len(ahead) > 2:
                yield self.stack(ahead.pop(0))
        for futures in ahead:
            yield self.stack(futures)

    def stack(self, futures: list[Future[Pixels]]) -> Pixels:
        pixels = np.zeros_like(self.pixels)
        for row, future in zip(pixels, futures):
            row[:] = future.result()
        return pixels

    def run(self) -> Pixels:
        """From files to features."""
        with ThreadPoolExecutor(self.workers) as pool:
            features = [self.session.run(None, {"pixels": pixels})[0] for pixels in self.batches(pool)]
        return np.concatenate(features)[: len(self.files)]

    def measure_tower(self, runs: int) -> list[float]:
        """Seconds of a batch through the tower."""
        feed = {"pixels": self.pixels}
        self.session.run(None, feed)  # not timed: what is made at first use is made
        return timed(lambda: self.session.run(None, feed), runs)
