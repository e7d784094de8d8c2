"""The list of what leaves a device is whole."""

from __future__ import annotations

import ast
import inspect
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from handfed.server.people.principals import Principal
from handfed.server.privacy.leaving import FIELDS
from handfed.shared import disclosure, wire
from handfed.shared.release_reports import Report
from handfed.simulations.pages.example import fill


def _source(module: str) -> ast.Module:
    import importlib.util

    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text("utf-8"))


def _named(node: ast.expr | None) -> str | None:
    """The value of an expression such as `wire.LOSS`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wire":
        return str(getattr(wire, node.attr))
    return None


def _keys_of_replies() -> set[str]:
    """The keys of every answer in the one place where devices answer a run."""
    calls = [
        node
        for node in ast.walk(_source("handfed.clients.trainer.app"))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_reply"
    ]
    assert len(calls) == 6
    dicts = [node for call in calls for node in ast.walk(call) if isinstance(node, ast.Dict)]
    return {name for each in dicts for key in each.keys if (name := _named(key)) is not None}


def _keys_of(module: ModuleType, function: str) -> set[str]:
    tree = ast.parse(inspect.getsource(module))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function)
    return {name for node in ast.walk(found) if isinstance(node, ast.Attribute) and (name := _named(node)) is not None}


def test_every_field_that_a_device_sends_is_listed() -> None:
    listed = {each.field for each in FIELDS}
    assert _keys_of_replies() <= listed
    assert _keys_of(disclosure, "to_metrics") <= listed
    assert set(Report.__dataclass_fields__) - {"sequence"} <= listed


def test_nothing_is_listed_that_no_device_sends() -> None:
    of_runs = {each.field for each in FIELDS if each.message not in {"report", "enrolment"}}
    sent = _keys_of_replies() | _keys_of(disclosure, "to_metrics") | {wire.ARRAYS, wire.WIRE_VERSION}
    assert of_runs == sent


def test_each_message_is_listed() -> None:
    kinds = {wire.TRAIN, wire.EVALUATE, wire.DESCRIBE, wire.MEASURE, wire.CALIBRATE, wire.JUDGE}
    assert {each.message for each in FIELDS} == kinds | {"report", "enrolment"}


def test_what_is_told_from_a_floor_on_says_so() -> None:
    floors = {each.field: each.floor for each in FIELDS if each.message == wire.EVALUATE and each.floor}
    assert floors == {
        wire.WRITERS: disclosure.LEAST_WRITERS,
        wire.CLASSES: disclosure.LEAST_SAMPLES,
        wire.CLASS_SAMPLES: disclosure.LEAST_SAMPLES,
        wire.CLASS_CORRECT: disclosure.LEAST_SAMPLES,
    }


@pytest.mark.parametrize("organisation", [None, 1])
def test_sizes_are_those_of_the_last_round(services: Any, tmp_path: Path, organisation: int | None) -> None:
    who = Principal("Cy", "viewer", organisation=organisation)
    empty = services.leaving.read(who)
    assert empty.run is None
    example = fill(services, tmp_path, rounds=3, now=datetime(2026, 5, 6, tzinfo=UTC))
    seen = services.leaving.read(who)
    assert (seen.run, seen.round) == (example.run, 9)
    sizes = {(each.message, each.field): each.size_bytes for each in seen.fields}
    assert sizes[wire.TRAIN, wire.ARRAYS] == 292_000
    assert sizes[wire.EVALUATE, wire.WRITERS] == 160
    assert sizes[wire.EVALUATE, wire.CLASSES] == 80
