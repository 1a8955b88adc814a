import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from plugin import {{Type}}
from upl_plugin import testing

FOLDER = Path(__file__).parent


def select(p, **more):
    """Pairs of row and class."""
    labels = testing.select({{Type}}, [p], **more).labels
    return list(zip(labels.rows.tolist(), labels.classes.tolist()))


def test_ranks_by_margin():
    p = [
        [0.60, 0.40, 0.00],  # ahead by 0.2, and the most confident
        [0.50, 0.25, 0.25],  # by 0.25
        [0.50, 0.25, 0.25],  # a tie: the earlier image is kept
        [0.25, 0.50, 0.25],  # the only one of class 1; there is none of class 2
    ]
    assert select(p, params={"k": 1}) == [(1, 0), (3, 1)]


@pytest.mark.parametrize("batch_rows", [1, 7, 256])
def test_batches_do_not_matter(batch_rows):
    p = np.random.default_rng(1).dirichlet(np.ones(5), 100)
    assert select(p, batch_rows=batch_rows) == select(p, batch_rows=100)


def test_small_data():
    assert select(np.empty((0, 3))) == []
    assert select([[1.0]]) == [(0, 0)]


def test_manifest():
    """upl-plugin.yaml says what the plugin says of itself."""
    said = subprocess.run([sys.executable, FOLDER / "plugin.py"], check=True, capture_output=True)
    manifest = yaml.safe_load((FOLDER / "upl-plugin.yaml").read_text())
    assert manifest["policies"] == json.loads(said.stdout)["policies"]
