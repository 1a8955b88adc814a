"""What ``upl-host plugin new NAME --lang python`` writes passes its own test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def test_template(tmp_path: Path) -> None:
    for source in (PACKAGE / "template").iterdir():
        text = source.read_text()
        for placeholder, value in {
            "{{name}}": "my-rule",
            "{{ident}}": "my_rule",
            "{{Type}}": "MyRule",
        }.items():
            text = text.replace(placeholder, value)
        assert "{{" not in text
        (tmp_path / source.name).write_text(text)
    shutil.copytree(PACKAGE / "upl_plugin", tmp_path / "upl_plugin")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "6 passed" in run.stdout, run.stdout + run.stderr
