"""A manifest says the same to every reader, and a release whose parts do not fit is refused."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handfed.shared import strips
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import ManifestError
from handfed.shared.geometry import Geometry
from handfed.shared.images import VERSION
from handfed.shared.manifest import (
    FORMAT,
    MANIFEST,
    MODEL,
    File,
    Manifest,
    SelfTest,
    read_manifest,
    read_release,
    schema,
)

SELF_TEST = SelfTest(
    np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28, 1), np.array([[0.5, -1], [2, 3]], np.float32), 0.1
)
CONTENT = b"a model"
EXAMPLE = Manifest(
    release=7,
    task="characters",
    recogniser="cnn",
    alphabet=Alphabet(("é", "b")),
    run=3,
    parent=6,
    strategy="fedavg",
    rounds=30,
    devices=12,
    created_at="2026-01-31T12:00:00+00:00",
    training_seconds=61.5,
    licence="CC0-1.0",
    weights_sha256="0" * 64,
    model=File.of(CONTENT),
    metrics={
        "samples": 100,
        "split_by": "writer",
        "accuracy_float": 0.99,
        "accuracy_int8": 0.985,
        "float_minus_int8": {"difference": 0.005, "low": -0.001, "high": 0.012},
    },
    self_test=SELF_TEST,
)
OF_WORDS = replace(
    EXAMPLE,
    kind="words",
    recogniser="tcn",
    geometry=Geometry(32, None),
    normalisation=strips.VERSION,
    self_test=SelfTest(
        np.arange(2 * 32 * 24, dtype=np.uint8).reshape(2, 32, 24, 1),
        np.zeros((2, 6, len(EXAMPLE.alphabet) + 1), np.float32),
        0.1,
    ),
)


def assert_same(first: Manifest, second: Manifest) -> None:
    for each in fields(Manifest):
        if each.name != "self_test":
            assert getattr(first, each.name) == getattr(second, each.name), each.name
    np.testing.assert_array_equal(first.self_test.pictures, second.self_test.pictures)
    np.testing.assert_allclose(first.self_test.logits, second.self_test.logits, atol=1e-6)
    assert first.self_test.tolerance == second.self_test.tolerance


def encoded(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The example after a change to its JSON."""
    value = copy.deepcopy(EXAMPLE.to_json())
    change(value)
    return json.dumps(value).encode()


def refuse(content: bytes, why: str) -> None:
    with pytest.raises(ManifestError, match=rf"^m\.json: .*{why}"):
        Manifest.decode(content, where="m.json")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)
COUNT = st.integers(1, 2**53)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    names = draw(st.lists(TEXT, min_size=2, max_size=5))
    try:
        alphabet = Alphabet.from_labels(names, where="test")
    except Exception:  # noqa: BLE001 - two names that are one
        alphabet = Alphabet(("a", "b"))
    rows = draw(st.integers(1, 3))
    logits = arrays.arrays(np.float32, (rows, len(alphabet)), elements=st.floats(-100, 100, width=32))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    pictures = arrays.arrays(np.uint8, (rows, height, width, 1), elements=st.integers(0, 255))
    return replace(
        EXAMPLE,
        release=draw(COUNT),
        task=draw(TEXT),
        alphabet=alphabet,
        run=draw(COUNT),
        parent=draw(st.none() | COUNT),
        rounds=draw(st.integers(0, 1000)),
        training_seconds=draw(st.floats(0, 1e9)),
        licence=draw(TEXT),
        geometry=Geometry(height, width, 1),
        self_test=SelfTest(draw(pictures), draw(logits), draw(st.floats(0.001, 10))),
        alphabet_version=draw(st.integers(1, 9)),
        browser=draw(st.none() | st.builds(File.of, st.binary(max_size=9).map(lambda content: content + b"."))),
    )


@given(manifests())
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert_same(Manifest.decode(manifest.encode(), where="m.json"), manifest)


@given(manifests())
def test_every_manifest_keeps_the_published_schema(manifest: Manifest) -> None:
    jsonschema.Draft202012Validator(schema()).validate(json.loads(manifest.encode()))


def test_the_schema_is_one_and_every_field_is_required_but_what_came_later() -> None:
    """The twin for browsers, and how often the alphabet has grown."""
    jsonschema.Draft202012Validator.check_schema(schema())
    whole = replace(EXAMPLE, browser=File.of(CONTENT), alphabet_version=2)
    jsonschema.validate(whole.to_json(), schema())
    assert set(schema()["properties"]) == set(whole.to_json())
    assert set(schema()["required"]) | set(schema()["then"]["required"]) == set(EXAMPLE.to_json())


def test_an_alphabet_has_been_through_one_version_at_least() -> None:
    assert Manifest.decode(EXAMPLE.encode(), where="m.json").alphabet_version == 1
    value = replace(EXAMPLE, alphabet_version=3).to_json()
    assert Manifest.decode(json.dumps(value).encode(), where="m.json").alphabet_version == 3
    value["alphabet_version"] = 0
    refuse(json.dumps(value).encode(), "alphabet_version is 0")


def test_a_twin_for_browsers_has_one_name_only() -> None:
    value = replace(EXAMPLE, browser=File.of(CONTENT)).to_json()
    assert Manifest.decode(json.dumps(value).encode(), where="m.json").browser == File.of(CONTENT)
    value["browser"]["file"] = "../model.tflite"
    refuse(json.dumps(value).encode(), "must be named browser.tflite")


def test_planes_that_are_not_known_are_refused() -> None:
    for inputs, channels in ((["topology"], 1), ([], 3), (["colour"], 2)):
        value = EXAMPLE.to_json()
        value["inputs"], value["geometry"]["channels"] = inputs, channels
        refuse(json.dumps(value).encode(), "of which this version does not know all; update handfed")


@pytest.mark.parametrize("kind", ["words", "lines"])
def test_a_manifest_of_texts_says_their_kind_and_is_read_as_it_was_written(kind: str) -> None:
    manifest = replace(OF_WORDS, kind=kind)
    jsonschema.Draft202012Validator(schema()).validate(json.loads(manifest.encode()))
    assert_same(Manifest.decode(manifest.encode(), where="m.json"), manifest)


@pytest.mark.parametrize("path", [("kind",), ("inputs",), ("temperature",), ("self_test", "width")])
def test_without_what_format_2_added_it_is_refused_by_schema_and_reader(path: tuple[str, ...]) -> None:
    value = OF_WORDS.to_json()
    _drop(value, path)
    with pytest.raises(jsonschema.ValidationError, match="is a required property"):
        jsonschema.validate(value, schema())
    refuse(json.dumps(value).encode(), f"the field '{path[-1]}' is missing")


def test_a_kind_of_handwriting_that_is_not_known_is_refused() -> None:
    value = {**OF_WORDS.to_json(), "kind": "pages"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema())
    refuse(json.dumps(value).encode(), "reads 'pages', which this version does not know; update handfed")


def _paths(value: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, inner in value.items():
        found.append((*above, name))
        if isinstance(inner, dict):
            found += _paths(inner, (*above, name))
    return found


def _drop(value: dict[str, Any], path: tuple[str, ...]) -> None:
    for name in path[:-1]:
        value = value[name]
    del value[path[-1]]


def _set(value: dict[str, Any], path: tuple[str, ...], to: object) -> None:
    for name in path[:-1]:
        value = value[name]
    value[path[-1]] = to


PATHS = _paths(EXAMPLE.to_json())
READ = [path for path in PATHS if path[0] != "metrics" or len(path) == 1]  # what metrics hold is shown, not used


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_the_schema_refuses_a_manifest_that_lacks_a_field(path: tuple[str, ...]) -> None:
    with pytest.raises(jsonschema.ValidationError, match="is a required property"):
        jsonschema.validate(json.loads(encoded(lambda value: _drop(value, path))), schema())


@pytest.mark.parametrize("path", READ, ids=".".join)
def test_a_manifest_that_lacks_a_field_is_refused(path: tuple[str, ...]) -> None:
    why = (
        "format None is not one that"
        if path == ("format",)
        else f"the field '{path[-1]}' is missing; pull the release again"
    )
    refuse(encoded(lambda value: _drop(value, path)), why)


@pytest.mark.parametrize("path", PATHS, ids=".".join)
@pytest.mark.parametrize("wrong", [True, 0.5, "text", [True], {}, None], ids=repr)
def test_a_value_of_another_type_is_refused_by_schema_and_reader(path: tuple[str, ...], wrong: object) -> None:
    right = EXAMPLE.to_json()
    for name in path:
        right = right[name]
    if type(wrong) is type(right) or (path == ("parent",) and wrong is None):
        return
    content = encoded(lambda value: _set(value, path, wrong))
    if not (path[-1] in ("training_seconds", "difference", "low", "high") and wrong == 0.5):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(content), schema())
        if path in READ:
            refuse(content, "")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("release",), 0),
        (("alphabet",), ["a"]),
        (("alphabet",), ["a", "a"]),
        (("alphabet",), ["a", ""]),
        (("model", "sha256"), "A" * 64),
        (("model", "size_bytes"), 0),
        (("metrics", "split_by"), "page"),
        (("metrics", "accuracy_int8"), 98.5),
        (("metrics", "samples"), 0),
        (("parent",), "6"),
        (("self_test", "tolerance"), 0),
        (("training_seconds",), -1),
    ],
    ids=str,
)
def test_the_schema_refuses_a_value_out_of_its_range(path: tuple[str, ...], value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(encoded(lambda document: _set(document, path, value))), schema())


@pytest.mark.parametrize("number", [FORMAT + 1, 0, "1", None])
def test_another_format_is_refused_with_what_to_do(number: object) -> None:
    content = encoded(lambda value: value.update(format=number, run="of the future"))
    refuse(
        content,
        rf"manifest format {number!r} is not one that this version reads.*update handfed, or pull an older release",
    )


def test_an_unknown_field_is_passed_over() -> None:
    def add(value: dict[str, Any]) -> None:
        for inside in (value, value["model"], value["self_test"], value["geometry"], value["metrics"]):
            inside["from_the_future"] = {"a": [1]}

    content = encoded(add)
    jsonschema.validate(json.loads(content), schema())
    read = Manifest.decode(content, where="m.json")
    assert_same(replace(read, metrics=EXAMPLE.metrics), EXAMPLE)


def test_another_normalisation_is_refused() -> None:
    refuse(encoded(lambda value: _set(value, ("normalisation",), VERSION + 1)), "image normalisation 2.*update handfed")


@pytest.mark.parametrize("name", ["../model.tflite", "/etc/passwd", "model.tflite\0", "other.tflite"])
def test_no_other_file_is_opened(name: str) -> None:
    refuse(encoded(lambda value: _set(value, ("model", "file"), name)), "the model must be named model.tflite")


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"{", b"\xff\xfe\xff", b"[" * 100_000, b'{"format": NaN}', b"\x00" * 10],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    refuse(content, "pull the release again")


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_with_a_message(content: bytes) -> None:
    refuse(content, "")


@given(
    st.sampled_from(READ), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
)
def test_whatever_a_field_holds_it_is_read_or_refused(path: tuple[str, ...], value: object) -> None:
    try:
        Manifest.decode(encoded(lambda document: _set(document, path, value)), where="m.json")
    except ManifestError as error:
        assert str(error).startswith("m.json: ")  # noqa: PT017 - it may as well be read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pictures", "AAAA"),  # three bytes are no picture
        ("pictures", "not base64!"),
        ("pictures", ""),
        ("logits", []),
        ("logits", [[1, 2], [3]]),
        ("logits", [[1, 2]]),  # of one picture, and there are two
        ("logits", [[1, 1e39], [2, 3]]),  # beyond float32
        ("tolerance", 0),
        ("tolerance", 1e999),
    ],
)
def test_a_self_test_that_tests_nothing_is_refused(name: str, value: object) -> None:
    refuse(encoded(lambda document: _set(document, ("self_test", name), value)), "a field has the wrong form")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / MANIFEST).write_bytes(EXAMPLE.encode())
    (tmp_path / MODEL).write_bytes(CONTENT)
    return tmp_path


def test_a_release_directory_gives_its_manifest_and_its_model(release: Path) -> None:
    manifest, content = read_release(release)
    assert_same(manifest, EXAMPLE)
    assert content == CONTENT
    assert_same(read_manifest(release), EXAMPLE)


@pytest.mark.parametrize("content", [b"", b"A model", b"a model ", b"a mode"])
def test_a_model_of_another_size_or_sha256_is_refused(release: Path, content: bytes) -> None:
    (release / MODEL).write_bytes(content)
    with pytest.raises(ManifestError, match=r"model\.tflite: this is not the model of its manifest; pull"):
        read_release(release)


def test_a_size_that_is_stated_wrong_is_refused(release: Path) -> None:
    (release / MANIFEST).write_bytes(replace(EXAMPLE, model=replace(EXAMPLE.model, size_bytes=6)).encode())
    with pytest.raises(ManifestError, match="not the model of its manifest"):
        read_release(release)


@pytest.mark.parametrize("name", [MANIFEST, MODEL])
def test_a_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    with pytest.raises(ManifestError, match=rf"{name}: No such file or directory; is this a release directory\?"):
        read_release(release)


def test_a_directory_in_the_place_of_a_file_is_refused(release: Path) -> None:
    (release / MANIFEST).unlink()
    (release / MANIFEST).mkdir()
    with pytest.raises(ManifestError, match=r"manifest\.json: Is a directory"):
        read_release(release)


def test_what_is_published_keeps_the_schema_and_can_be_moved(release_directory: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(release_directory, moved)
    manifest, content = read_release(moved)
    jsonschema.validate(json.loads((moved / MANIFEST).read_text(encoding="utf-8")), schema())
    assert File.of(content) == manifest.model


def test_a_figure_that_json_lacks_is_never_written() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        replace(EXAMPLE, training_seconds=float("nan")).encode()
