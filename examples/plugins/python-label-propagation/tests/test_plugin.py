from __future__ import annotations

import json
import subprocess
import sys

import yaml

from conftest import PLUGIN


def test_manifest_says_what_the_plugin_says() -> None:
    run = subprocess.run(
        [sys.executable, PLUGIN / "plugin.py"],
        env={"PYTHONPATH": str(PLUGIN.parents[2] / "sdk/python"), "PATH": ""},
        check=True,
        capture_output=True,
        timeout=60,
    )
    manifest = yaml.safe_load((PLUGIN / "upl-plugin.yaml").read_text())
    assert manifest["policies"] == json.loads(run.stdout)["policies"]
