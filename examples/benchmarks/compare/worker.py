"""A reference's side of a comparison, in a process of its own.

It is built once and waits while upl-host is measured; its memory is its own.
"""

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

_work: Any = None  # of the worker's process


def peak_memory() -> int:
    """The largest resident set of this process so far, in bytes (Linux)."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def timed(run: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def _build(name: str, arguments: tuple[Any, ...]) -> None:
    global _work
    module, _, make = name.rpartition(".")
    _work = getattr(importlib.import_module(module), make)(*arguments)


def _call(method: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(_work, method)(*arguments)


def _measure(runs: int) -> list[float]:
    return timed(_work.run, runs)


class Worker:
    """An object that lives in another process."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def call(self, method: str, *arguments: Any) -> Any:
        """Calls a method of the object."""
        return self._pool.submit(_call, method, arguments).result()

    def measure(self, runs: int) -> list[float]:
        """Seconds of each run of the object's run()."""
        return self._pool.submit(_measure, runs).result()

    def peak_memory(self) -> int:
        """The process's largest resident set so far, in bytes."""
        return self._pool.submit(peak_memory).result()


@contextmanager
def library_threads(count: int) -> Iterator[None]:
    """What is started meanwhile reads that number when it imports its libraries."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def worker(threads: int, make: str, *arguments: Any) -> Iterator[Worker]:
    """Calls make (module.Class) in a new process, whose libraries use that many threads.

    What it imports is not imported here.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with library_threads(threads):
            pool.submit(_build, make, arguments).result()
        yield Worker(pool)
