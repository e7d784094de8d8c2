"""Sweeps: which runs a grid has, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import SettingError
from handfed.simulations.scenario import Scenario
from handfed.simulations.sweep import grid, label


def test_a_grid_has_every_combination_and_the_last_key_varies_fastest() -> None:
    assert grid(["strategy=fedavg,median", "qat-rounds=1,2", "nan=0"]) == [
        {"strategy": "fedavg", "qat_rounds": 1, "nan": 0.0},
        {"strategy": "fedavg", "qat_rounds": 2, "nan": 0.0},
        {"strategy": "median", "qat_rounds": 1, "nan": 0.0},
        {"strategy": "median", "qat_rounds": 2, "nan": 0.0},
    ]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True), st.sets(st.floats(0, 0.9), min_size=1))
def test_a_grid_is_the_product_of_its_values(devices: list[int], held_out: set[float]) -> None:
    found = grid([f"devices={','.join(map(str, devices))}", f"held-out={','.join(map(repr, held_out))}"])
    assert len(found) == len(devices) * len(held_out)
    assert {each["devices"] for each in found} == set(devices)
    assert {each["held_out"] for each in found} == held_out


def test_what_is_swept_makes_scenarios() -> None:
    found = [Scenario.from_mapping({"data": "mnist5k", **swept}) for swept in grid(["data=mnist5k,x.npz", "seed=0,1"])]
    assert [(each.data, each.run.seed) for each in found] == [
        ("mnist5k", 0),
        ("mnist5k", 1),
        ("x.npz", 0),
        ("x.npz", 1),
    ]


def test_a_run_is_labelled_as_a_person_would_type_it() -> None:
    assert (
        label({"strategy": "fedavg", "held_out": 0.2, "qat_rounds": 1}) == "strategy=fedavg, held-out=0.2, qat-rounds=1"
    )


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["rounds"], "write KEY=VALUE,VALUE"),
        (["round=1,2"], "there is no key 'round'; did you mean 'rounds'"),
        (["qat_rounds=1,2"], "did you mean 'qat-rounds'"),
        (["zzz=1"], "see the options of"),
        (["rounds=1,two"], "'two' is no whole number"),
        (["rounds=1,2.5"], "'2.5' is no whole number"),
        (["momentum=0.9,much"], "'much' is no number"),
        (["rounds="], "a value is missing"),
        (["rounds=1,,2"], "a value is missing"),
        (["rounds=1, 1"], "a value is there twice"),
        (["rounds=1", "rounds=2"], "rounds is swept twice"),
        (["seed=1,2"], "seed is both swept and set by --seed"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(texts: list[str], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        grid(texts, given=["seed"])
