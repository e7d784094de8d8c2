"""A run of two rounds, as trackers are told of it."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import RecordedRun, Rejection, RoundResult

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


@pytest.fixture
def run() -> RecordedRun:
    return RecordedRun(
        id=12,
        status="running",
        task="characters",
        recogniser="cnn",
        strategy="fedavg",
        seed=0,
        settings={},
        devices=3,
        engine="in-process",
        rounds=0,
        started_at=NOON,
        ended_at=None,
        error=None,
        summary=None,
    )


@pytest.fixture
def rounds() -> list[RoundResult]:
    """The second was evaluated, and lost an update."""
    return [
        RoundResult(1, "float", NOON, 2.0, 5.0, 3, 3, 300, 1.5, None, 0, 3000, 2000),
        RoundResult(
            2,
            "float",
            NOON,
            3.0,
            6.0,
            3,
            2,
            200,
            0.75,
            0.875,
            80,
            3000,
            1500,
            rejections=(Rejection(2, "not-finite", "conv/kernel"),),
        ),
    ]


@pytest.fixture
def arrays() -> list[Arrays]:
    """The combined model after each of them."""
    rng = np.random.default_rng(0)
    first = {
        "conv/kernel": rng.normal(size=(3, 3, 1, 8)).astype(np.float32),
        "conv/bias": np.zeros(8, np.float32),
    }
    return [first, {name: array + np.float32(0.5) for name, array in first.items()}]
