"""The mean of several models' probabilities and the K most confident rows a class, in numpy."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

SEED = 1
BLOCK = 4096  # rows at a time
LIKELIHOODS = 1 << 16

Floats = npt.NDArray[np.float32]


def softmax_rows(rows: int, columns: int, model: int) -> Iterator[Floats]:
    """Blocks of rows as a classifier's: one class, the same in all models, above the rest, by more or less."""
    own = np.random.default_rng((SEED, model))
    same = np.random.default_rng(SEED)
    table = np.exp(2 * own.standard_normal(LIKELIHOODS + columns)).astype(np.float32)
    for start in range(0, rows, BLOCK):
        n = min(BLOCK, rows - start)
        block = table[own.integers(0, LIKELIHOODS, (n, 1)) + np.arange(columns)]
        favour = np.exp(12 * own.random(n)).astype(np.float32)
        block[np.arange(n), same.integers(0, columns, n)] *= favour
        yield block / block.sum(1, keepdims=True)


def write(file: Path, rows: int, columns: int, model: int) -> None:
    """Writes a model's probabilities, .npy."""
    out = np.lib.format.open_memmap(file, "w+", np.float32, (rows, columns))
    start = 0
    for block in softmax_rows(rows, columns, model):
        out[start : start + len(block)] = block
        start += len(block)
    out.flush()


class TopK:
    """Reads memory-mapped files in blocks."""

    def __init__(self, files: list[Path], k: int, threads: int) -> None:
        self.files, self.k, self.threads = files, k, threads

    def run(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The rows that are picked, by class, and their classes."""
        models: list[Floats] = [np.load(file, mmap_mode="r") for file in self.files]
        rows, columns = models[0].shape
        predicted, confidence = np.empty(rows, np.intp), np.empty(rows, np.float32)

        def block(start: int) -> None:
            at = slice(start, min(start + BLOCK, rows))
            mean = models[0][at] + models[1][at]
            for model in models[2:]:
                mean += model[at]
            mean /= len(models)
            predicted[at] = mean.argmax(1)
            confidence[at] = mean[np.arange(len(mean)), predicted[at]]

        starts = range(0, rows, BLOCK)
        if self.threads == 1:
            for start in starts:
                block(start)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(block, starts))
        return self.pick(predicted, confidence, columns)

    def pick(
        self, predicted: npt.NDArray[np.intp], confidence: Floats, columns: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The K most confident rows of each class."""
        rows = len(predicted)
        order = np.lexsort((-confidence, predicted))
        classes = predicted[order]
        rank = np.arange(rows) - np.searchsorted(classes, np.arange(columns))[classes]
        picked = order[rank < self.k]
        return picked, predicted[picked]


class WholeTopK(TopK):
    """The same as most code has it: a line for each thing that is computed, over all rows."""

    def run(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The rows that are picked, by class, and their classes."""
        models: list[Floats] = [np.load(file, mmap_mode="r") for file in self.files]
        mean: Floats = sum(models[1:], start=np.asarray(models[0])) / np.float32(len(models))
        return self.pick(mean.argmax(1), mean.max(1), mean.shape[1])
