"""Handwriting that is cheap to make, and no two samples of it the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.samples import Samples
from handfed.shared.tasks import TASKS

MakeIncoming = Callable[..., Incoming]


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", patience_s=1) as opened:
        yield opened


@pytest.fixture(scope="session")
def characters() -> MakeIncoming:
    """Makes characters: `labels`, and who wrote each, or None."""

    def make(
        labels: Sequence[str],
        writers: Sequence[str] | None = None,
        *,
        seed: int = 0,
        images: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]] | None = None,
        **options: object,
    ) -> Incoming:
        alphabet = Alphabet(tuple(sorted({*labels, "0", "1"})))
        if images is None:
            images = np.random.default_rng(seed).integers(0, 256, (len(labels), 28, 28), np.uint8)
        samples = Samples(images, np.array([alphabet.names.index(label) for label in labels], np.int32))
        ids = None if writers is None else tuple(sorted(set(writers)))
        numbers = None if writers is None or ids is None else np.array([ids.index(each) for each in writers], np.int32)
        dataset = Dataset("made", alphabet, samples, numbers, "made", "CC0", ids)
        return Incoming(dataset, TASKS["characters"], "characters", **options)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def words() -> MakeIncoming:
    """Makes words: what they say, and who wrote each, or None."""

    def make(texts: Sequence[str], writers: Sequence[str] | None = None, *, task: str = "words") -> Incoming:
        alphabet = Alphabet(tuple(sorted({*"".join(texts), "a", "b"})))
        rng = np.random.default_rng(len(texts))
        height = TASKS[task].height
        images = [rng.integers(0, 256, (height, 8 + 5 * len(text)), np.uint8) for text in texts]
        samples = Samples.of_texts(images, [[alphabet.names.index(each) for each in text] for text in texts])
        ids = None if writers is None else tuple(sorted(set(writers)))
        numbers = None if writers is None or ids is None else np.array([ids.index(each) for each in writers], np.int32)
        return Incoming(Dataset("made", alphabet, samples, numbers, "made", "CC0", ids), TASKS[task], task)

    return make
