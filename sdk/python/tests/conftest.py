from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from process import Process

ENTRY = Path(__file__).parent / "policies.py"


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    with Process(ENTRY) as started:
        yield started


@pytest.fixture(scope="session")
def channel(process: Process) -> Iterator[grpc.Channel]:
    with process.channel() as opened:
        yield opened
