"""upl-host's side: its commands, each a process of its own."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Host:
    """The program, on a number of threads."""

    def __init__(self, program: Path, threads: int) -> None:
        self.program, self.threads = program, threads

    def run(
        self,
        *arguments: str | Path,
        expected: tuple[int, ...] = (0,),
        quiet: bool = False,
    ) -> str:
        """Runs a command and returns what it prints; what it says beside that goes to standard error."""
        command = [str(self.program), *map(str, arguments)]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else sys.stderr,
            text=True,
        )
        if done.returncode not in expected:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr or ''}{done.stdout}")
        return done.stdout

    def json(self, *arguments: str | Path, expected: tuple[int, ...] = (0,)) -> Any:
        """Runs a command with --json and reads what it prints."""
        return json.loads(self.run(*arguments, "--json", expected=expected))

    def bench(self, what: str, *arguments: str | Path) -> Any:
        """Runs a benchmark of upl-host's own."""
        return self.json("bench", what, *arguments, "--threads", str(self.threads))

    def timed(self, *arguments: str | Path) -> float:
        """Seconds that a command takes, from its start to its end."""
        start = time.perf_counter()
        self.run(*arguments, quiet=True)
        return time.perf_counter() - start
