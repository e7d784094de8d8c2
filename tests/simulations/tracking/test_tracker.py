"""What may leave this machine, and what it is called there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.shared.run_settings import RunSettings
from handfed.simulations.scenario import Scenario
from handfed.simulations.tracking.tracker import closing, place, scalars, tellable


def test_a_place_tells_runs_of_several_data_directories_apart_and_stays(run: RecordedRun) -> None:
    assert place(run) == "20260506-120000-run-0012"
    elsewhere = datetime(2026, 5, 6, 14, tzinfo=timezone(timedelta(hours=2)))
    assert place(replace(run, started_at=elsewhere)) == place(run)


def test_neither_paths_nor_names_of_classes_leave() -> None:
    scenario = Scenario(
        data="/home/lovelace/Clinic 7/patients.npz",
        task="/home/lovelace/Clinic 7/patients.toml",
        run=RunSettings(class_alpha="Müller=2"),
    )
    told = tellable(scenario)
    assert set(told) == set(scenario.to_mapping())
    assert "lovelace" not in str(told)
    assert "patients" not in str(told)
    assert "Müller" not in str(told)


def test_named_data_sets_and_settings_leave_as_they_are() -> None:
    told = tellable(Scenario())
    assert told["data"] == "mnist5k"
    assert told["partition"] == "dirichlet:0.3"
    assert told["learning_rate"] == "0.05"
    assert told["sign_flipped"] == "0.0"


def test_what_is_not_known_of_a_round_is_left_out(rounds: list[RoundResult]) -> None:
    assert "accuracy" not in scalars(rounds[0])
    assert scalars(rounds[1]) == {
        "loss": 0.75,
        "accuracy": 0.875,
        "bytes/down": 3000.0,
        "bytes/up": 1500.0,
        "updates/accepted": 2.0,
        "updates/rejected": 1.0,
        "seconds/round": 3.0,
        "seconds/training": 6.0,
    }


def test_of_a_summary_figures_and_marks_leave_and_paths_do_not() -> None:
    summary: dict[str, Any] = {
        "run": 12,
        "release": 3,
        "model_path": "/home/ada/handfed-data/releases/0003/model.tflite",
        "accuracy_int8": 0.99,
        "float_minus_int8": {"difference": 0.001, "low": -0.001},
        "size_bytes": 1000,
        "weights_sha256": "ab" * 32,
    }
    figures, marks = closing(summary)
    assert figures == {
        "accuracy_int8": 0.99,
        "float_minus_int8/difference": 0.001,
        "float_minus_int8/low": -0.001,
        "size_bytes": 1000.0,
    }
    assert marks == {"run": "12", "release": "3", "weights_sha256": "ab" * 32}
    assert closing({}) == ({}, {})
