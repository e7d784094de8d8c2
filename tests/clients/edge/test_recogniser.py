"""A recogniser reads what was written, and is opened whole or not at all."""

from __future__ import annotations

import doctest
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handfed.clients import edge
from handfed.clients.edge import Recogniser, pictures, recogniser
from handfed.clients.edge.evaluation import evaluate
from handfed.clients.edge.recogniser import _numbers
from handfed.shared import planes
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import ImageError, ManifestError
from handfed.shared.geometry import Geometry
from handfed.shared.images import normalise, normalise_all
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.manifest import MANIFEST, MODEL, File, Manifest, SelfTest

Release = tuple[Manifest, bytes]


@pytest.fixture(scope="module")
def opened(release_directory: Path) -> Recogniser:
    return Recogniser.open(release_directory)


@pytest.fixture
def copied(release_directory: Path, tmp_path: Path) -> Path:
    """A copy of the release that a test may change."""
    return Path(shutil.copytree(release_directory, tmp_path / "copied"))


def test_it_reads_pictures_of_any_size_and_polarity(opened: Recogniser, digits: Dataset) -> None:
    sure = opened.read_all(digits.images[:300]).confidences > 0.9
    for row in np.flatnonzero(sure)[:20]:
        image = digits.images[row]
        small = opened.read(image)
        large = np.pad(np.kron(image, np.ones((5, 5), np.uint8)), ((40, 10), (3, 77)))
        assert opened.read(large).text == opened.read(255 - large).text == small.text


def test_a_reading_names_the_most_probable_class_and_the_next_ones(
    opened: Recogniser, trained_model_bytes: bytes, digits: Dataset
) -> None:
    picture = digits.images[0]
    reading = opened.read(picture, alternatives=9)
    probabilities = softmax(Int8Model(trained_model_bytes).logits(normalise(picture)[None]))[0]
    named = {reading.text: reading.confidence} | dict(reading.alternatives)
    assert named == pytest.approx({str(digit): float(probabilities[digit]) for digit in range(10)})
    values = [reading.confidence, *(probability for _, probability in reading.alternatives)]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1)


def test_three_alternatives_are_named_unless_others_are_asked_for(opened: Recogniser, digits: Dataset) -> None:
    assert len(opened.read(digits.images[0]).alternatives) == 3
    assert opened.read(digits.images[0], alternatives=0).alternatives == ()
    assert len(opened.read(digits.images[0], alternatives=50).alternatives) == 9


def test_many_images_are_read_as_each_alone(opened: Recogniser, digits: Dataset) -> None:
    together = opened.read_all(digits.images[:40])
    for row in range(40):
        alone = opened.read_all(digits.images[row : row + 1])
        assert together.labels[row] == alone.labels[0]
        assert together.confidences[row] == pytest.approx(alone.confidences[0])
    assert together.labels.dtype == np.int32
    assert (together.labels == digits.labels[:40]).mean() > 0.8


def test_many_images_are_read_with_their_alternatives_bit_by_bit_as_each_alone(
    opened: Recogniser, digits: Dataset
) -> None:
    normalised = normalise_all(digits.images[:300])
    together = opened.read_each(normalised, alternatives=9)
    assert together == [opened.read_each(image[None], alternatives=9)[0] for image in normalised]
    assert together == [opened.read(image, alternatives=9) for image in digits.images[:300]]
    assert opened.read_each(normalised[:0]) == []


def test_no_images_give_no_readings(opened: Recogniser) -> None:
    assert len(opened.read_all(np.zeros((0, 28, 28), np.uint8)).labels) == 0


@pytest.mark.parametrize(
    "images", [np.zeros((2, 28, 28), np.float32), np.zeros((28, 28), np.uint8), np.zeros((2, 20, 20), np.uint8)]
)
def test_images_of_another_form_are_refused(opened: Recogniser, images: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"images must be uint8 \(n, 28, 28\)"):
        opened.read_all(images)


def test_a_blank_picture_is_an_error_and_no_guess(opened: Recogniser) -> None:
    with pytest.raises(ImageError, match="no ink"):
        opened.read(np.full((50, 40), 255, np.uint8))


def test_a_release_says_what_it_is(opened: Recogniser, trained_release: Release) -> None:
    manifest, model = trained_release
    assert opened.release == 1
    assert opened.alphabet == manifest.alphabet
    assert opened.size_bytes == len(model)


def test_the_package_exports_three_names_and_no_other() -> None:
    assert (edge.Reading, edge.Recogniser) == (recogniser.Reading, recogniser.Recogniser)
    assert edge.read_picture is pictures.read_picture
    with pytest.raises(AttributeError, match="no attribute 'tables_of_law'"):
        edge.tables_of_law  # noqa: B018


def test_the_newest_release_of_a_data_directory_is_opened(
    release_directory: Path, trained_release: Release, tmp_path: Path
) -> None:
    manifest, model = trained_release
    for number in (2, 10):
        directory = tmp_path / "releases" / f"{number:04d}"
        directory.mkdir(parents=True)
        (directory / MANIFEST).write_bytes(replace(manifest, release=number).encode())
        (directory / MODEL).write_bytes(model)
    assert Recogniser.newest(tmp_path).release == 10
    assert Recogniser.newest(release_directory.parents[1]).release == 1


def test_without_a_release_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="run handfed simulate"):
        Recogniser.newest(tmp_path)


def test_a_bare_file_names_its_classes_by_their_numbers(tmp_path: Path, trained_model_bytes: bytes) -> None:
    path = tmp_path / "any.tflite"
    path.write_bytes(trained_model_bytes)
    bare = Recogniser.open(path)
    assert bare.release is None
    assert bare.alphabet.names == tuple("0123456789")


def test_a_bare_file_beside_a_manifest_that_names_another_stays_bare(copied: Path, trained_model_bytes: bytes) -> None:
    (copied / MANIFEST).write_text("something else")
    other = copied / "other.tflite"
    other.write_bytes(trained_model_bytes)
    assert Recogniser.open(other).release is None


def test_the_model_of_a_release_is_opened_as_the_release(copied: Path, trained_release: Release) -> None:
    letters = replace(trained_release[0], alphabet=Alphabet(tuple("abcdefghij")))
    (copied / MANIFEST).write_bytes(letters.encode())
    assert Recogniser.open(copied / MODEL).alphabet == letters.alphabet
    (copied / MODEL).write_bytes(b"another")
    with pytest.raises(ManifestError, match="not the model of its manifest"):
        Recogniser.open(copied / MODEL)


def test_an_alphabet_of_ones_own_names_the_classes(trained_model_bytes: bytes, digits: Dataset) -> None:
    words = Alphabet(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
    named = Recogniser(words, trained_model_bytes)
    numbered = Recogniser(None, trained_model_bytes)
    assert words.names[int(numbered.read(digits.images[0]).text)] == named.read(digits.images[0]).text


def test_an_alphabet_of_another_size_is_refused(trained_model_bytes: bytes) -> None:
    with pytest.raises(ManifestError, match="tells 10 classes apart, and 3 are named"):
        Recogniser(Alphabet(("a", "b", "c")), trained_model_bytes)


@pytest.mark.parametrize("name", [MANIFEST, MODEL])
def test_a_release_that_lacks_a_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ManifestError, match=f"{name}: No such file"):
        Recogniser.open(copied)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.tflite: cannot be read \(No such file.*; name a release directory"):
        Recogniser.open(tmp_path / "none.tflite")


def test_a_model_of_another_manifest_is_refused(trained_release: Release) -> None:
    manifest, model = trained_release
    with pytest.raises(ManifestError, match="not the one of its manifest"):
        Recogniser(manifest, model[:-1] + b"?")


def test_another_geometry_is_refused(trained_release: Release) -> None:
    manifest, model = trained_release
    with pytest.raises(ManifestError, match="takes other images than 28 x 28 grey or strips; update handfed"):
        Recogniser(replace(manifest, geometry=Geometry(32, 256, 1)), model)


def test_a_manifest_of_another_alphabet_is_refused(trained_release: Release) -> None:
    manifest, model = trained_release
    with pytest.raises(ManifestError, match="self-test is of another alphabet"):
        Recogniser(replace(manifest, alphabet=Alphabet(("a", "b"))), model)


def test_a_model_that_needs_a_newer_litert_is_refused(trained_release: Release) -> None:
    manifest, model = trained_release
    with pytest.raises(ManifestError, match=r"needs LiteRT 99\.1 or newer, and .* is installed; update it"):
        Recogniser(replace(manifest, minimum_runtime="99.1"), model)


def test_versions_are_compared_by_their_numbers() -> None:
    assert _numbers("2.1") == _numbers("2.1.0") < _numbers("2.1.1rc3") < _numbers("2.10.0")
    assert _numbers("newest") == ()


def test_the_self_test_passes_on_this_processor(opened: Recogniser) -> None:
    opened.self_test()


@given(st.integers(0, 7), st.integers(0, 9), st.sampled_from([-1.5, 1.5]))
def test_the_self_test_fails_when_one_logit_is_off_by_more_than_the_tolerance(
    trained_release: Release, row: int, column: int, tolerances: float
) -> None:
    manifest, model = trained_release
    logits = Int8Model(model).logits(manifest.self_test.pictures)
    logits[row, column] += np.float32(tolerances * manifest.self_test.tolerance)
    changed = Recogniser(replace(manifest, self_test=replace(manifest.self_test, logits=logits)), model)
    with pytest.raises(ManifestError, match=r"fails its self-test here: a logit is off by .*pull the release again"):
        changed.self_test()


def test_the_self_test_allows_what_the_tolerance_allows(trained_release: Release) -> None:
    manifest, model = trained_release
    logits = manifest.self_test.logits + np.float32(0.9 * manifest.self_test.tolerance)
    Recogniser(replace(manifest, self_test=replace(manifest.self_test, logits=logits)), model).self_test()


def test_a_manifest_s_temperature_divides_the_logits(trained_release: Release, digits: Dataset) -> None:
    manifest, model = trained_release
    warm = Recogniser(replace(manifest, temperature=2.0), model)
    logits = Int8Model(model).logits(normalise(digits.images[0])[None])
    reading = warm.read(digits.images[0], alternatives=9)
    named = {reading.text: reading.confidence} | dict(reading.alternatives)
    expected = softmax(logits / np.float32(2))[0]
    assert named == pytest.approx({str(digit): float(expected[digit]) for digit in range(10)})
    many, usual = warm.read_all(digits.images[:50]), Recogniser(manifest, model).read_all(digits.images[:50])
    np.testing.assert_array_equal(many.labels, usual.labels)
    assert (many.confidences < usual.confidences).all()
    assert many.confidences[0] == pytest.approx(reading.confidence)


@pytest.fixture(scope="module")
def with_planes(trained_release: Release, int8_of: Callable[..., bytes]) -> Release:
    """A release that sees all there is beside the ink, by random weights of each pixel of each plane."""
    from handfed.shared.tf.runtime import tf

    random = np.random.default_rng(0)
    weights = random.normal(0, 0.1, (28 * 28 * 7, 10)).astype(np.float32)
    model = int8_of(lambda seen: tf.matmul(tf.reshape(seen, (-1, 28 * 28 * 7)), weights), (28, 28, 7))
    pictures = random.integers(0, 256, (8, 28, 28, 7), np.uint8)
    manifest = replace(
        trained_release[0],
        geometry=Geometry(channels=7),
        inputs=("pen", "topology", "size"),
        model=File.of(model),
        self_test=SelfTest(pictures, Int8Model(model).logits(pictures), 0.1),
    )
    return Manifest.decode(manifest.encode(), where="manifest"), model


def test_topology_is_drawn_from_the_picture_and_what_needs_strokes_stays_empty(
    with_planes: Release, digits: Dataset
) -> None:
    manifest, model = with_planes
    seeing = Recogniser(manifest, model)
    images = digits.images[:20]
    pictures = np.zeros((20, 28, 28, 7), np.uint8)
    pictures[..., 0], pictures[..., 4:6] = images, planes.topology(images)
    expected = softmax(Int8Model(model).logits(pictures))
    found = seeing.read_all(images)
    np.testing.assert_array_equal(found.labels, expected.argmax(axis=1))
    np.testing.assert_allclose(found.confidences, expected.max(axis=1))
    row = int(np.flatnonzero((normalise_all(images) == images).all(axis=(1, 2)))[0])
    assert seeing.read(images[row]).confidence == pytest.approx(float(expected[row].max()))
    blind = Int8Model(model).logits(np.where(np.arange(7) == 0, pictures, 0).astype(np.uint8))
    assert not np.allclose(softmax(blind), expected)


def test_a_data_set_is_evaluated_with_the_planes_that_its_pictures_give(with_planes: Release, digits: Dataset) -> None:
    seeing = Recogniser(*with_planes)
    part = digits.take(np.arange(30))
    assert [text[0] for text in seeing.transcribe(part.samples)] == seeing.read_all(part.images).labels.tolist()
    assert evaluate(seeing, part).samples == 30
    strokes = np.random.default_rng(0).integers(0, 256, (30, 28, 28, 6), np.uint8)
    given = seeing.transcribe(replace(part.samples, planes=strokes))
    expected = Int8Model(with_planes[1]).logits(np.concatenate([part.images[..., None], strokes], axis=3))
    assert [text[0] for text in given] == expected.argmax(axis=1).tolist()


def test_a_release_with_planes_passes_its_self_test(with_planes: Release) -> None:
    Recogniser(*with_planes).self_test()


def test_a_bare_file_has_no_self_test(trained_model_bytes: bytes) -> None:
    with pytest.raises(ManifestError, match="has no manifest, and so no self-test"):
        Recogniser(None, trained_model_bytes).self_test()


def test_the_example_in_the_documentation_runs(
    release_directory: Path, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seven = Recogniser.open(release_directory).read_all(digits.images).labels == 7
    image = digits.images[np.argmax(seven & (digits.labels == 7))]
    Image.fromarray(255 - image).save(tmp_path / "seven.png")
    (tmp_path / "handfed-data").symlink_to(release_directory.parents[1])
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(recogniser) == doctest.TestResults(failed=0, attempted=4)
