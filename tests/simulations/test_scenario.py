"""Scenario files: what is written is read back, and what is wrong in one is named."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import SettingError
from handfed.shared.recognisers import FAMILIES
from handfed.shared.run_settings import RunSettings
from handfed.simulations.faults import Faults
from handfed.simulations.scenario import TABLES, Scenario, parse, types_by_name


def values_of(field: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    """Values that a setting may have by itself."""
    least, most, choices = (field.metadata[name] for name in ("least", "most", "choices"))
    if choices:
        return st.sampled_from(choices)
    if field.type in {"str", "bool"}:
        return st.text() if field.type == "str" else st.booleans()
    return st.integers(least, most) if field.type == "int" else st.floats(least, most)


APART = {  # settings that bound one another
    "rounds": st.integers(10, 100_000),
    "qat_rounds": st.integers(0, 10),
    "visibility": st.just("inspected"),
    "inputs": st.just(""),  # and so do these
    "recogniser": st.sampled_from([name for name, known in FAMILIES.items() if known.prunable and not known.columns]),
    "pseudo_labels": st.just(0.0) | st.floats(0.5, 1.0),
    "class_weights": st.just("none"),  # weighs single characters, which not every recogniser reads
}
RUNS = st.builds(RunSettings, **{each.name: values_of(each) for each in dataclasses.fields(RunSettings)} | APART)
FAULTS = st.builds(Faults, **{each.name: st.floats(0, 0.2) for each in dataclasses.fields(Faults)})
SCENARIOS = st.builds(
    Scenario,
    data=st.text(),
    partition=st.text(),
    devices=st.integers(),
    held_out=st.floats(allow_nan=False),
    labelled=st.floats(0.0, 1.0, exclude_min=True),
    run=RUNS,
    faults=FAULTS,
)


@given(SCENARIOS)
def test_a_scenario_that_was_written_is_read_back_exactly(scenario: Scenario) -> None:
    assert Scenario.from_toml(scenario.to_toml()) == scenario
    assert Scenario.from_mapping(scenario.to_mapping()) == scenario


def test_what_is_written_is_complete() -> None:
    document = tomllib.loads(Scenario().to_toml())
    written = {key for key in document if key not in TABLES} | {key for table in TABLES for key in document[table]}
    assert {key.replace("-", "_") for key in written} == set(types_by_name())


def test_a_name_is_in_one_table_only() -> None:
    names = [each.name for kind in (Scenario, *TABLES.values()) for each in dataclasses.fields(kind)]
    assert len(names) == len(set(names))


def test_what_a_file_leaves_out_keeps_its_default() -> None:
    read = Scenario.from_toml('data = "mnist5k"\n[run]\nrounds = 7\nlearning-rate = 1\n[faults]\nstale = 0.5')
    assert read == Scenario(run=RunSettings(rounds=7, learning_rate=1.0), faults=Faults(stale=0.5))


def test_a_file_about_itself_says_so_beside_the_scenario() -> None:
    found = parse('summary = "Mine"\ndefault-for = ["iid"]\ndevices = 3', "mine")
    assert (found.name, found.summary, found.default_for, found.values) == ("mine", "Mine", ("iid",), {"devices": 3})


def test_what_is_said_of_one_place_is_no_part_of_the_federation() -> None:
    found = parse("[run]\nlearning-rate = 0.2\n[in-one-place]\nlearning-rate = 1\noptimiser = 'adam'", "f.toml")
    assert found.values == {"learning_rate": 0.2}
    assert found.in_one_place == {"learning_rate": 1.0, "optimiser": "adam"}


def test_a_scenario_without_data_asks_for_it() -> None:
    with pytest.raises(SettingError, match=r"^mine names no data set: .* --data$"):
        Scenario.from_toml("devices = 3", "mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nround = 3", r"^f.toml, \[run\]: there is no key 'round'; did you mean 'rounds'\?$"),
        ("[faults]\nsign-fliped = 0.1", r"^f.toml, \[faults\]: .* did you mean 'sign-flipped'\?$"),
        ("[run]\nqat_rounds = 3", r"^f.toml, \[run\]: there is no key 'qat_rounds'; did you mean 'qat-rounds'\?$"),
        ("device = 3", r"^f.toml: there is no key 'device'; did you mean 'devices'\?$"),
        (
            "colour = 3",
            r"^f.toml: there is no key 'colour'; known here: data, task, partition, devices, held-out, labelled, steps",
        ),
        ("rounds = 3", r"^f.toml: 'rounds' belongs in \[run\]$"),
        ("[run]\nnan = 0.1", r"^f.toml, \[run\]: 'nan' belongs in \[faults\]$"),
        ("[faults]\ndata = 'x'", r"^f.toml, \[faults\]: 'data' belongs above the first table$"),
        ("[runs]\nrounds = 3", r"^f.toml: there is no key 'runs'"),
        ("run = 3", r"^f.toml: 'run' must be a table, not 3$"),
        ("[[run]]\nrounds = 3", r"^f.toml: 'run' must be a table"),
        ("[run]\nrounds = 3.0", r"^f.toml, \[run\]: 'rounds' must be a whole number, not 3.0$"),
        ("[run]\nrounds = true", r"^f.toml, \[run\]: 'rounds' must be a whole number, not True$"),
        ("[run]\nmomentum = '0.9'", r"^f.toml, \[run\]: 'momentum' must be a number, not '0.9'$"),
        ("[run]\nstrategy = ['fedavg']", r"^f.toml, \[run\]: 'strategy' must be a string"),
        ("data = 5", r"^f.toml: 'data' must be a string, not 5$"),
        ("devices = 1.5", r"^f.toml: 'devices' must be a whole number"),
        ("summary = 5", r"^f.toml: 'summary' must be a string"),
        ("default-for = 'iid'", r"^f.toml: 'default-for' must be an array"),
        ("[run]\nrounds = 0", r"^f.toml: rounds 0 is out of bounds: from 1 to 100000$"),
        ("[run]\nmomentum = nan", r"^f.toml: momentum nan is out of bounds"),
        ("[run]\nstrategy = 'magic'", r"^f.toml: strategy 'magic' is unknown; choose one of: fedavg"),
        ("[in-one-place]\ndevices = 3", r"^f.toml, \[in-one-place\]: 'devices' belongs above the first table$"),
        ("[in-one-place]\nnan = 0.1", r"^f.toml, \[in-one-place\]: 'nan' belongs in \[faults\]$"),
        ("[in-one-place]\nmomentum = '0.9'", r"^f.toml, \[in-one-place\]: 'momentum' must be a number"),
        ("[in-one-place]\nlearning-rate = 0", r"^f.toml: learning-rate 0.0 is out of bounds"),
        ("[run]\nrounds = 3\nqat-rounds = 4", r"^f.toml: qat-rounds 4 exceeds rounds 3"),
        ("[faults]\nnan = 1.5", r"^f.toml: nan is 1.5; it is a fraction from 0 to 1$"),
        ("data = 'a'\n\ndevices = x", r"^f.toml: is not TOML: .*line 3"),
        ("devices = 1\ndevices = 2\n", r"^f.toml: is not TOML: .*line 2"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_file_and_table(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        parse(text, "f.toml")


def test_a_path_that_no_text_holds_is_refused_when_it_is_written() -> None:
    with pytest.raises(SettingError, match="rename the file"):
        Scenario(data="caf\udce9.npz").to_toml()
