"""The README's Python examples run as written; its commands exist; its tables have their marks."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


RUN = """
import json, sys
for number, block in json.load(sys.stdin):
    exec(compile(block, f"README.md, Python example {number}", "exec"), {"__name__": "__main__"})
"""


def test_python_examples_run(tmp_path: Path) -> None:
    """One after the other in a new process: first what chooses the devices of a process."""
    blocks = sorted(enumerate(BLOCKS, start=1), key=lambda each: "strategy_for" not in each[1])
    assert len(blocks) > 4
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(blocks),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_search_script_has_fifteen_lines() -> None:
    script = next(block for block in BLOCKS if "keras_tuner" in block)
    assert len([line for line in script.splitlines() if line.strip()]) <= 15


def test_commands_of_the_readme_exist() -> None:
    from zoo.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    shell = "\n".join(re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL))
    used = set(re.findall(r"(?:^|\s|/)zoo ([a-z][a-z-]*)", shell))
    assert used
    assert used <= known


@pytest.mark.parametrize(
    "table",
    [
        "quality",
        "fidelity",
        "pretrained",
        "several_labels",
        "few",
        "serving",
        "speed",
        "encoder_speed",
        "startup",
        "scale",
        "perplexity",
        "language_speed",
        "images",
        "image_speed",
        "gpu",
        "gpu_cifar",
    ],
)
def test_tables_have_their_marks(table: str) -> None:
    assert f"<!-- {table}: written by python -m benchmarks publish -->" in README
