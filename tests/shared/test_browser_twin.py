"""The twin for browsers is the model itself, but for the integers at its ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from handfed.shared.browser_twin import browser_twin
from handfed.shared.errors import ManifestError
from handfed.shared.litert import Int8Model

MODEL = Path(__file__).resolve().parents[1] / "compat" / "manifest-2" / "model.tflite"


@pytest.fixture(scope="module")
def model() -> bytes:
    return MODEL.read_bytes()


def test_a_twin_reads_bit_by_bit_as_its_model(model: bytes) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)
    twin = Int8Model(browser_twin(model))
    np.testing.assert_array_equal(twin.logits(pictures), Int8Model(model).logits(pictures))
    assert not twin.operators_with_floats()


def test_both_ends_of_a_twin_are_unsigned_and_named_as_before(model: bytes) -> None:
    interpreter, before = Interpreter(model_content=browser_twin(model)), Interpreter(model_content=model)
    ends = (*interpreter.get_input_details(), *interpreter.get_output_details())
    assert [end["dtype"] for end in ends] == [np.uint8, np.uint8]
    assert interpreter.get_signature_list() == before.get_signature_list()
    zeros = [end["quantization"][1] for end in (*before.get_input_details(), *before.get_output_details())]
    assert [end["quantization"][1] for end in ends] == [zero + 128 for zero in zeros]


def test_the_same_file_gives_the_same_twin_and_the_weights_are_the_same(model: bytes) -> None:
    twin = browser_twin(model)
    assert browser_twin(model) == twin
    assert len(twin) < len(model) + 2000


def test_what_is_no_model_or_a_twin_already_is_refused(model: bytes) -> None:
    with pytest.raises(ManifestError, match="no LiteRT file"):
        browser_twin(b"nothing")
    with pytest.raises(ManifestError, match="cannot be read"):
        browser_twin(model[:64] + b"\xff" * 400)
    with pytest.raises(ManifestError, match="not int8"):
        browser_twin(browser_twin(model))
