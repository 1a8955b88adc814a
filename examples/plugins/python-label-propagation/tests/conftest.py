"""Puts the plugin and the package on the path."""

import sys
from pathlib import Path

PLUGIN = Path(__file__).parents[1]
sys.path[:0] = [str(PLUGIN), str(PLUGIN.parents[2] / "sdk/python")]
