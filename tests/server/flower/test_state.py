"""Where a run stands is kept as bytes and read back exactly."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from handfed.server.flower.sampling import Turns
from handfed.server.flower.state import Arrays, RunState
from handfed.shared.errors import StorageError
from handfed.shared.schedules import Watch

names = st.sampled_from(["conv1/kernel", "norm/mean", "relu1/output_range", "000001"])
groups = st.dictionaries(names, arrays(np.float32, array_shapes(max_dims=3, max_side=3)), min_size=1)


@given(
    st.integers(0, 10**6),
    groups,
    st.dictionaries(st.sampled_from(["momentum_vector", "m_t", "v_t"]), groups),
    st.none() | groups,
    st.integers(0, 3),
)
def test_what_is_written_is_read_back_to_the_bit(
    number: int, model: Arrays, memory: dict[str, Arrays], floating: Arrays | None, void: int
) -> None:
    state = RunState(number, model, dict(memory), floating, floating, void, average=floating)
    found = RunState.from_bytes(state.to_bytes())
    assert (found.number, found.void) == (number, void)
    pairs = [(model, found.arrays), *((memory[each], found.memory[each]) for each in memory)]
    assert (floating is None) == (found.floating is None)
    if floating is not None and found.floating is not None:
        pairs.append((floating, found.floating))
    pairs.append((floating or model, found.outcome))
    for wrote, read in pairs:
        assert list(wrote) == list(read)
        for name in wrote:
            assert wrote[name].dtype == read[name].dtype
            np.testing.assert_array_equal(wrote[name], read[name])


@given(st.dictionaries(st.integers(0, 2**64 - 1), st.builds(Turns, st.integers(0, 10**6), st.integers(0, 10**6))))
def test_the_turns_of_devices_are_read_back(turns: dict[int, Turns]) -> None:
    assert RunState.from_bytes(RunState(1, {}, turns=turns).to_bytes()).turns == turns


def test_strategies_remember_in_double_precision_too() -> None:
    state = RunState(1, {}, {"m_t": {"kernel": np.array([1 / 3])}})
    assert RunState.from_bytes(state.to_bytes()).memory["m_t"]["kernel"].dtype == np.float64


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_damaged_checkpoint_is_refused_and_says_what_to_do(cut: int) -> None:
    content = RunState(1, {"kernel": np.ones((9, 9), np.float32)}).to_bytes()
    with pytest.raises(StorageError, match=r"damaged.*start the run anew"):
        RunState.from_bytes(content[:cut])


def test_a_later_format_is_refused_by_its_number() -> None:
    stream = io.BytesIO()
    header = json.dumps({"format": 2, "number": 1, "void": 0})
    np.savez(stream, header=np.frombuffer(header.encode(), np.uint8))
    with pytest.raises(StorageError, match="format 2"):
        RunState.from_bytes(stream.getvalue())


def test_what_a_checkpoint_of_before_does_not_say_has_its_default() -> None:
    stream = io.BytesIO()
    header = json.dumps({"format": 1, "number": 3, "void": 1})
    arrays: dict[str, Any] = {"arrays/kernel": np.ones(2, np.float32)}
    np.savez(stream, header=np.frombuffer(header.encode(), np.uint8), **arrays)
    assert RunState.from_bytes(stream.getvalue()).watch == Watch()
    assert RunState.from_bytes(stream.getvalue()).model is None


def test_what_was_measured_and_the_best_model_are_read_back() -> None:
    state = RunState(
        5,
        {"kernel": np.ones(2, np.float32)},
        float_rounds=4,
        watch=Watch(0.25, 3, 1, 4),
        best={"kernel": np.zeros(2, np.float32)},
    )
    found = RunState.from_bytes(state.to_bytes())
    assert (found.watch, found.float_rounds) == (state.watch, 4)
    assert found.best is not None
    assert found.best["kernel"].tolist() == [0, 0]
