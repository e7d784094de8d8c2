"""What an exported file may differ by."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.server.releases.exports.parity import OF_FLOATS, OF_INTEGERS, Agreement, Bounds, Reads, check, compare
from handfed.shared.errors import ReleaseRefusedError
from handfed.shared.litert import softmax
from handfed.shared.samples import Samples

CLOSE = 0.5


def gives(logits: list[list[float]] | NDArray[np.float32], temperature: float = 1.0) -> Reads:
    """What gives these logits for the pictures whose first pixel is their row."""
    table = np.asarray(logits, np.float32)

    def read(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        found = table[pictures[:, 0, 0, 0]]
        return found, softmax(found / np.float32(temperature))

    return read


def characters(count: int) -> Samples:
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count)
    return Samples(images, np.zeros(count, np.int32))


def agreement(first: Reads, second: Reads, samples: Samples, columns: int = 0, temperature: float = 1.0) -> Agreement:
    return compare(first, second, samples, columns=columns, close=CLOSE, temperature=temperature)


def test_pictures_are_alike_close_or_read_otherwise() -> None:
    first = gives([[3, 0, 0], [1.4, 1, 0], [3, 0, 0]])
    second = gives([[2, 0, 0], [1, 1.4, 0], [0, 3, 0]])
    found = agreement(first, second, characters(3))
    assert (found.pictures, found.same, found.close) == (3, 1, 1)
    assert found.rate == 0.5


def test_of_texts_only_the_steps_that_hold_something_count() -> None:
    blank = [0.0, 0, 9]
    first = np.array([[[9, 0, 0], blank, blank]], np.float32)
    second = first.copy()
    second[0, 2] = [0, 9, 0]  # on the paper beside the text
    text = Samples(np.zeros((1, 8, 24), np.uint8), np.zeros((1, 1), np.int32), np.array([16], np.int32))
    assert agreement(gives(first), gives(second), text, columns=8).same == 1
    second[0, 1] = [0, 9, 0]
    found = agreement(gives(first), gives(second), text, columns=8)
    assert (found.same, found.close) == (0, 0)


def test_probabilities_of_another_temperature_are_refused() -> None:
    logits = [[3.0, 0, 0]]
    with pytest.raises(ReleaseRefusedError, match="probabilities are not those of its logits"):
        agreement(gives(logits, 1.5), gives(logits, 1.0), characters(1), temperature=1.5)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ReleaseRefusedError, match=r"gives \(1, 2\) where the model gives \(1, 3\)"):
        agreement(gives([[3, 0, 0]]), gives([[3, 0]]), characters(1))


@pytest.mark.parametrize(
    ("found", "bounds"),
    [
        (Agreement(1000, 999, 0), OF_INTEGERS),
        (Agreement(1000, 998, 0), OF_FLOATS),
        (Agreement(1000, 899, 101), OF_INTEGERS),
        (Agreement(1000, 1000, 0, 0.002), OF_FLOATS),
        (Agreement(1000, 1000, 0, float("nan")), OF_FLOATS),
    ],
)
def test_what_reads_otherwise_is_refused(found: Agreement, bounds: Bounds) -> None:
    with pytest.raises(ReleaseRefusedError, match="nothing was written"):
        check(found, bounds)


def test_what_reads_alike_passes() -> None:
    check(Agreement(1000, 990, 10, 0.2), OF_INTEGERS)
    check(Agreement(1000, 999, 0, 0.0001), OF_FLOATS)
