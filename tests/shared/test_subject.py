"""What a run is of goes through a message as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError, SettingError
from handfed.shared.subject import NOT_SETTINGS, Subject

NAMES = st.lists(st.sampled_from(["a", "b", "é", "字", " ", "ch"]), min_size=2, unique=True)


@given(NAMES, st.sampled_from(["characters", "words", "lines"]), st.integers(16, 64), st.sampled_from([(), ("size",)]))
def test_a_configuration_gives_the_subject_back(names: list[str], kind: str, height: int, inputs: tuple[str]) -> None:
    subject = Subject(Alphabet(tuple(names)), kind, height, inputs)
    assert Subject.from_config({**subject.to_config(), "round": 3}) == subject


def test_what_is_no_subject_is_refused() -> None:
    config = Subject(Alphabet(("a", "b"))).to_config()
    with pytest.raises(DatasetError, match="the run's alphabet"):
        Subject.from_config({**config, "alphabet": "[]"})
    with pytest.raises(SettingError, match="there is no 'colour'"):
        Subject.from_config({**config, "inputs": "colour"})


def test_what_is_no_setting_is_of_the_subject() -> None:
    assert set(Subject(Alphabet(("a", "b"))).to_config()) > NOT_SETTINGS
