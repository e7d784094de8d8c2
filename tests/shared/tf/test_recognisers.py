"""Every recogniser goes the whole way: it trains, is quantized, is converted and reads, in integers alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from handfed.shared import reading
from handfed.shared.browser_twin import browser_twin
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining
from handfed.shared.recognisers import FAMILIES
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import WIDTH_STEP, Samples
from handfed.shared.tf import recognisers
from handfed.shared.tf.export import to_int8
from handfed.shared.tf.training import Trainer
from handfed.shared.wire import Role

SETTINGS = LocalTraining.of(
    RunSettings(local_epochs=4, dropout=0.0, augmentation=0.0), learning_rate=0.02, freeze_statistics=True
)
# LSTMs learn faster by nadam; and each of their steps is some operations of the published file.
OWN = {
    name: {"optimiser": "nadam", "learning_rate": 0.004, "epochs": 2} for name in ("bilstm", "crnn", "crnn-attention")
}
OWN["crnn-deep"] = OWN["crnn"] | {"freeze_statistics": False}
GRAPH = {"bilstm": 120_000}  # bytes
OF_CHARACTERS = [name for name, family in FAMILIES.items() if not family.columns]
OF_TEXTS = [name for name, family in FAMILIES.items() if family.columns]


def settings_of(name: str) -> LocalTraining:
    return dataclasses.replace(SETTINGS, **OWN.get(name, {}))  # type: ignore[arg-type]


def numbers(digits: Dataset, count: int, first: int) -> Samples:
    """Numbers of two to four digits, each a row of handwritten ones, 32 pixels high."""
    rng = np.random.default_rng(first)
    images, labels = [], []
    for _ in range(count):
        rows = rng.integers(first, first + 1200, rng.integers(2, 5))
        line = np.concatenate([digits.images[row][:, 3:25] for row in rows], axis=1)
        images.append(np.pad(line, ((2, 2), (4, 4))))
        labels.append(digits.labels[rows].tolist())
    return Samples.of_texts(images, labels)


def test_every_family_can_be_built_and_none_besides() -> None:
    assert set(recognisers.BUILDERS) == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_table_states_the_parameters_of_the_model(name: str) -> None:
    blank = name in OF_TEXTS
    for classes in (2, 10, 62):
        model = recognisers.build(name, classes + blank, 32)
        assert model.count_params() == FAMILIES[name].parameters_for(classes)


@pytest.mark.parametrize("name", OF_CHARACTERS)
def test_a_recogniser_learns_and_reads_as_well_in_integers(name: str, digits: Dataset) -> None:
    train, unseen = digits.take(np.arange(1200)), digits.take(np.arange(1200, 1700))
    trainer = Trainer(name, 10, seed=0)
    arrays = trainer.initial()
    arrays |= trainer.measure_statistics(arrays, train.samples.take(np.arange(300)))
    for number in range(2):
        arrays, _ = trainer.train(arrays, train.samples, settings_of(name), quantized=False, seed=(0, number))
    floating = trainer.evaluate(arrays, unseen.samples, quantized=False).correct
    arrays |= trainer.calibrate(arrays, train.samples.take(np.arange(300)))
    settings = dataclasses.replace(SETTINGS, learning_rate=0.002, epochs=1)
    arrays, _ = trainer.train(arrays, train.samples, settings, quantized=True, seed=(0, 2))
    quantized = trainer.quantized_model(arrays)
    content = to_int8(quantized)
    model = Int8Model(content)
    twin = Int8Model(browser_twin(content))
    np.testing.assert_array_equal(twin.logits(unseen.images), model.logits(unseen.images))
    correct = int((model.logits(unseen.images).argmax(axis=1) == unseen.labels).sum())
    assert model.operators_with_floats() == []
    assert floating > 375  # of 500; guessing gives 50
    assert correct > floating - 15
    assert len(content) < 1.2 * FAMILIES[name].parameters_for(10) + GRAPH.get(
        name, 40_000
    )  # a byte each, and the graph


@pytest.mark.parametrize("name", FAMILIES)
def test_every_array_of_a_model_has_its_place_on_the_wire(name: str) -> None:
    trainer = Trainer(name, 3, seed=0, height=32)
    floating, quantized = trainer.schema(quantized=False), trainer.schema(quantized=True)
    assert set(floating.names()) == set(quantized.names()) - set(quantized.names(Role.RANGE))
    counted = sum(int(np.prod(spec.shape)) for spec in floating.specs)
    assert counted == FAMILIES[name].parameters_for(3)


@pytest.mark.parametrize("name", OF_TEXTS)
def test_a_recogniser_of_texts_learns_and_reads_as_well_in_integers_at_any_width(name: str, digits: Dataset) -> None:
    train, unseen = numbers(digits, 500, 0), numbers(digits, 100, 1200)
    trainer = Trainer(name, 10, seed=0, height=32)
    arrays = trainer.initial()
    arrays |= trainer.measure_statistics(arrays, train)
    for number in range(3):
        arrays, _ = trainer.train(arrays, train, settings_of(name), quantized=False, seed=(0, number))
    floating = trainer.evaluate(arrays, unseen, quantized=False)
    arrays |= trainer.calibrate(arrays, train)
    settings = dataclasses.replace(SETTINGS, learning_rate=0.002, epochs=1)
    arrays, _ = trainer.train(arrays, train, settings, quantized=True, seed=(0, 3))
    quantized = trainer.evaluate(arrays, unseen, quantized=True)
    assert floating.edits < floating.characters / 3  # reading nothing would be as many edits as characters
    assert quantized.edits < floating.edits + 30
    model = Int8Model(to_int8(trainer.quantized_model(arrays)))
    shown = {row: len(logits) for row, logits in reading.text_logits(model, unseen)}
    assert [shown[row] for row in range(len(unseen))] == unseen.steps(FAMILIES[name].columns).tolist()


@pytest.mark.parametrize("name", OF_TEXTS)
@pytest.mark.parametrize("widths", [1, 3, 8])
def test_a_step_is_of_as_many_columns_as_the_table_says_at_any_width_of_samples(name: str, widths: int) -> None:
    picture = np.zeros((1, 32, widths * WIDTH_STEP, 1), np.uint8)
    trainer = Trainer(name, 10, seed=0, height=32)
    found = trainer.logits(trainer.initial(), picture, quantized=False)  # (1, 1, steps, classes + 1)
    assert found.shape[2] * FAMILIES[name].columns == picture.shape[2]


@pytest.mark.parametrize("name", OF_CHARACTERS)
def test_a_recogniser_sees_planes_beside_the_ink_all_the_way_to_integers(name: str, digits: Dataset) -> None:
    ink = digits.images[:48]
    planes = np.stack([digits.images[48:96], digits.images[96:144], np.zeros_like(ink)], axis=3)
    samples = Samples(ink, digits.labels[:48], planes=planes)
    trainer = Trainer(name, 10, seed=0, channels=4)
    arrays = trainer.initial()
    arrays |= trainer.calibrate(arrays, samples)
    settings = dataclasses.replace(settings_of(name), epochs=1, batch_size=48, augmentation=1.0)
    trained, loss = trainer.train(arrays, samples, settings, quantized=True, seed=(0, 0))
    assert np.isfinite(loss)
    assert any(not np.array_equal(trained[each], arrays[each]) for each in arrays)
    model = Int8Model(to_int8(trainer.quantized_model(trained)))
    assert (model.channels, model.outputs, model.reads_texts) == (4, 10, False)
    assert model.operators_with_floats() == []
    seen = model.logits(samples.pictures)
    unseen = model.logits(dataclasses.replace(samples, planes=np.zeros_like(planes)).pictures)
    assert not np.array_equal(seen, unseen)


@pytest.mark.parametrize("name", OF_TEXTS)
def test_a_recogniser_of_texts_sees_the_ink_alone(name: str) -> None:
    with pytest.raises(SettingError, match=f"recogniser {name} sees nothing beside the ink; leave inputs out"):
        recognisers.build(name, 11, 32, channels=3)


def test_an_alphabet_of_thousands_stays_within_its_stated_size() -> None:
    trainer = Trainer("mobilenet", 5000, seed=0)
    pictures = np.random.default_rng(0).integers(0, 256, (32, 28, 28), np.uint8)
    samples = Samples(pictures, np.arange(32, dtype=np.int32) * 150)
    arrays = trainer.initial()
    arrays |= trainer.measure_statistics(arrays, samples)
    arrays, loss = trainer.train(arrays, samples, SETTINGS, quantized=False, seed=(0, 0))
    arrays |= trainer.calibrate(arrays, samples)
    model = Int8Model(to_int8(trainer.quantized_model(arrays)))
    assert np.isfinite(loss)
    assert model.logits(pictures[:2]).shape == (2, 5000)
    assert model.operators_with_floats() == []
    assert model.size_bytes < FAMILIES["mobilenet"].parameters_for(5000) * 1.1 + 40_000


def test_an_unknown_recogniser_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="choose one of: cnn, lenet"):
        recognisers.build("transformer", 10)


def test_the_range_of_a_text_s_outputs_holds_what_has_a_say_and_no_more() -> None:
    trainer = Trainer("tcn", 3, seed=0, height=16)
    arrays = trainer.initial()
    arrays["logits/bias"] = np.array([0, 1, -500, 2], np.float32)  # a class that no text shows
    samples = Samples.of_texts([np.full((16, 24), 128, np.uint8)], [[0, 1]])
    low, high = trainer.calibrate(arrays, samples)["logits/post_activation_range"]
    assert high - low == pytest.approx(32)
    assert high >= 2


def test_training_keeps_the_range_of_a_text_s_outputs() -> None:
    """tfmot's moving averages would follow the extremes of every batch, those of classes that no text shows."""
    trainer = Trainer("tcn", 3, seed=0, height=16)
    arrays = trainer.initial()
    arrays["logits/bias"] = np.array([0, 1, -5e5, 2], np.float32)
    samples = Samples.of_texts([np.full((16, 64), 128, np.uint8)] * 4, [[0, 1]] * 4)
    run = RunSettings(local_epochs=3, batch_size=2, augmentation=0.0, focal_gamma=0.0)
    settings = LocalTraining.of(run, learning_rate=1e-6, freeze_statistics=True)
    start = arrays | trainer.calibrate(arrays, samples)
    trained, _ = trainer.train(start, samples, settings, quantized=True, seed=(0, 0))
    low, high = trained["logits/post_activation_range"]
    assert high - low <= 32 * (1 + 1e-5)
