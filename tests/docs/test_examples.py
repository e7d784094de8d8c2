"""What the documentation shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.shared.datasets import Dataset

ROOT = Path(__file__).resolve().parents[2]


def test_the_python_example_of_the_readme_reads_a_digit(
    release_directory: Path,
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "handfed-data").symlink_to(release_directory.parents[1])
    Image.fromarray(255 - np.kron(digits.images[0], np.ones((4, 4), np.uint8))).save(tmp_path / "scan.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own page
    text, confidence = capsys.readouterr().out.split()
    assert text in "0123456789"
    assert 0 < float(confidence) <= 1


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = set(re.findall(r"^    handfed (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    offered = set(
        re.findall(
            r"^(\w+) = ",
            "".join(
                (ROOT / part / "pyproject.toml").read_text().partition('"handfed.commands"]')[2].partition("[")[0]
                for part in ("clients", "server", "simulations")
            ),
            re.MULTILINE,
        )
    )
    assert shown
    assert shown <= offered
