"""A release, pictures of digits that it reads right, and the commands as processes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handfed.clients.edge import Recogniser
from handfed.simulations.datasets.mnist5k import MNIST5K

RELEASE = Path(__file__).resolve().parents[3] / "compat" / "manifest-2"
MAIN = (
    "import typer; from handfed.clients.edge.serving_cli import serve, watch; app = typer.Typer();"
    "app.command()(serve); app.command()(watch);"
    "import handfed.shared.cli as cli; cli.build = lambda: app; cli.main()"
)
PATIENCE_S = 60.0


Until = Callable[[Callable[[], Any], str], Any]


@pytest.fixture(scope="session")
def until() -> Until:
    """Waits for a true answer."""

    def wait(done: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if found := done():
                return found
            time.sleep(0.02)
        raise AssertionError(f"it did not come to pass: {what}")

    return wait


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def release() -> Path:
    return RELEASE


@pytest.fixture(scope="session")
def pictures(release: Path) -> dict[str, bytes]:
    """A PNG of each of the ten digits, by what it says and the release reads."""
    data = MNIST5K.load()
    found = Recogniser.open(release).read_all(data.images)
    right = (found.labels == data.labels) & (found.confidences > 0.9)
    rows = [int(np.flatnonzero(right & (data.labels == digit))[0]) for digit in range(10)]
    return {
        str(digit): png(255 - np.kron(data.images[row], np.ones((3, 3), np.uint8))) for digit, row in enumerate(rows)
    }


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `serve` or `watch`; what still runs in the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"HANDFED_DATA_DIR": "/nowhere", "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
