"""An earlier run is found by its number, or the reason is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from handfed.server.database import Database
from handfed.server.flower.earlier import check, model_of, none_on_record, on_record, teacher
from handfed.server.flower.state import Model, RunState
from handfed.server.runs.schemas import RoundResult, RunStart, UnknownRunError
from handfed.server.runs.service import RunRecord
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import SettingError
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import Subject

RUN = RunStart("characters", "cnn", "fedavg", 0, {}, 2, "in-process")
STATE = RunState(1, {"kernel": np.ones(2, np.float32)}, model=Model("cnn", ("a", "b"), 28, 0.2))


def test_an_earlier_run_is_found_with_what_its_arrays_are_of(sqlite_database: Database) -> None:
    record = RunRecord(sqlite_database)
    number = record.start(RUN)
    result = RoundResult(1, "float", datetime.now(UTC), 1.0, 1.0, 2, 2, 10)
    record.add_round(number, result, STATE.to_bytes())
    found = on_record(record)(number)
    assert found.model == STATE.model
    np.testing.assert_array_equal(found.arrays["kernel"], STATE.arrays["kernel"])


def test_a_run_that_is_not_there_or_has_no_round_says_so(sqlite_database: Database) -> None:
    record = RunRecord(sqlite_database)
    with pytest.raises(UnknownRunError):
        on_record(record)(3)
    number = record.start(RUN)
    with pytest.raises(SettingError, match="has not ended a round"):
        on_record(record)(number)


@pytest.mark.parametrize("setting", ["start_from", "teacher"])
def test_what_does_not_fit_is_refused_before_a_run_begins(setting: str) -> None:
    changes: dict[str, Any] = {setting: 7}
    settings = RunSettings(**changes)
    wanted = Model("cnn", ("a", "b"), 28, 0.2)
    ended = RunState(1, STATE.arrays, floating=STATE.arrays, model=wanted)
    check(lambda _: ended, settings, wanted)
    with pytest.raises(SettingError, match="run 7 has another alphabet: the new alphabet lacks b"):
        check(lambda _: ended, settings, Model("cnn", ("a", "c"), 28, 0.2))
    check(lambda _: ended, settings, Model("cnn", ("c", "b", "a"), 28, 0.2))  # grown, and in another order
    with pytest.raises(SettingError, match="is not on record"):
        check(none_on_record, settings, wanted)
    check(none_on_record, RunSettings(), wanted)


def test_a_run_without_quantization_aware_rounds_can_be_gone_on_from_once_it_is_done(sqlite_database: Database) -> None:
    record = RunRecord(sqlite_database)
    number = record.start(RUN)
    record.add_round(number, RoundResult(1, "float", datetime.now(UTC), 1.0, 1.0, 2, 2, 10), STATE.to_bytes())
    assert on_record(record)(number).floating is None
    record.finish(number, {})
    floating = on_record(record)(number).floating
    assert floating is not None
    np.testing.assert_array_equal(floating["kernel"], STATE.arrays["kernel"])


def test_an_alphabet_is_a_version_later_where_it_has_grown() -> None:
    ended = RunState(1, STATE.arrays, floating=STATE.arrays, model=Model("cnn", ("a", "b"), 28, alphabet_version=3))
    settings = RunSettings(start_from=7)
    same, larger = (Subject(Alphabet(names)) for names in (("a", "b"), ("b", "c", "a")))
    assert model_of(lambda _: ended, settings, same).alphabet_version == 3
    assert model_of(lambda _: ended, settings, larger).alphabet_version == 4
    assert model_of(none_on_record, RunSettings(), larger).alphabet_version == 1
    kept = RunState.from_bytes(ended.to_bytes()).model
    assert kept == ended.model


def test_classes_are_not_learnt_while_channels_are_left_out() -> None:
    ended = RunState(1, STATE.arrays, floating=STATE.arrays, model=Model("cnn", ("a", "b"), 28))
    settings = RunSettings(start_from=7, pruning=0.2)
    with pytest.raises(SettingError, match="to be pruned and to learn new classes"):
        check(lambda _: ended, settings, Model("cnn", ("a", "b", "c"), 28, 0.2))


def test_a_teacher_of_fewer_classes_says_which_they_are() -> None:
    ended = RunState(1, STATE.arrays, floating=STATE.arrays, model=Model("cnn", ("a", "b"), 28))
    assert teacher(lambda _: ended, 7, Model("cnn", ("b", "c", "a"), 28)).classes == (2, 0)
    assert teacher(lambda _: ended, 7, Model("cnn", ("a", "b"), 28)).classes is None
