"""Starting the program for what needs no TensorFlow."""

from compare.rows import Bound, Findings, Row, Times
from compare.settings import Bench

MOST = 50.0  # ms
RUNS = 20


def run(bench: Bench) -> Findings:
    """Times processes from start to end."""
    found = Findings()
    for arguments in (("--help",), ("plugin", "list")):
        times = Times()
        times.add(bench.host.timed(*arguments) for _ in range(RUNS))
        what = " ".join(("upl-host", *arguments))
        found.rows.append(Row("start", what, 1000 * times.median, "ms", bound=Bound("at most", MOST)))
        found.measured[what] = times.record()
    return found
