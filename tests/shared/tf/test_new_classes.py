"""What a device's loss and a teacher make of classes that they do not know, and models whose alphabet grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from handfed.shared.local_training import LocalTraining, Teacher
from handfed.shared.recognisers import FAMILIES
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.tf.losses import certainty, divergence_from_uniform, focal_ctc_loss, focal_loss, without
from handfed.shared.tf.objectives import Classification, Transcription, objective_of
from handfed.shared.tf.recognisers import build
from handfed.shared.tf.runtime import tf
from handfed.shared.tf.training import trainer
from handfed.shared.tf.variables import NamedVariables

KNOWN = np.array([True, False, True, True])
LOGITS = np.array([[2.0, 9.0, -1.0, 0.5], [0.1, -7.0, 0.3, 0.0]], np.float32)
PLAIN = LocalTraining.of(
    RunSettings(local_epochs=1, batch_size=8, augmentation=0.0, dropout=0.0, label_prior=0.0),
    learning_rate=0.1,
    freeze_statistics=True,
)
HEIGHT = 32


def digits(count: int, classes: int) -> Samples:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 28, 28), np.uint8)
    return Samples(images, (np.arange(count) % classes).astype(np.int32))


def texts(classes: int) -> Samples:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (HEIGHT, 64), np.uint8) for _ in range(6)]
    return Samples.of_texts(images, [[row % classes, (row + 1) % classes] for row in range(6)])


def test_a_masked_loss_is_that_of_the_known_classes_alone() -> None:
    labels, kept = np.array([0, 2], np.int32), LOGITS[:, KNOWN]
    among = np.array([0, 1], np.int32)  # the same labels, counted without the class that is left out
    expected = focal_loss(among, kept, gamma=2.0)
    assert float(focal_loss(labels, without(LOGITS, KNOWN), gamma=2.0)) == pytest.approx(float(expected), rel=1e-6)
    masked = divergence_from_uniform(without(LOGITS, KNOWN), KNOWN)
    assert float(masked) == pytest.approx(float(divergence_from_uniform(kept)), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_no_gradient_reaches_a_class_that_is_left_out(smoothing: float) -> None:
    logits = tf.Variable(LOGITS)
    labels, prior = np.array([0, 2], np.int32), np.zeros(4, np.float32)
    for known, expected in ((KNOWN, True), (None, False)):
        with tf.GradientTape() as tape:
            loss = Classification(4).loss(
                labels, logits, None, prior=prior, weights=None, known=known, gamma=2.0, smoothing=smoothing
            )
        gradient = tape.gradient(loss, logits).numpy()
        assert np.isfinite(gradient).all()
        assert gradient[:, KNOWN].all()
        assert (not gradient[:, 1].any()) == expected


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_of_texts_the_blank_always_has_a_say(smoothing: float) -> None:
    logits = tf.Variable(np.random.default_rng(0).normal(size=(2, 1, 6, 5)).astype(np.float32))
    labels, widths = np.array([[0, 2], [3, -1]], np.int32), np.array([24, 24], np.int32)
    nothing = np.zeros(4, np.float32)
    with tf.GradientTape() as tape:
        loss = Transcription(4, 4).loss(
            labels, logits, widths, prior=nothing, weights=None, known=KNOWN, gamma=0.0, smoothing=smoothing
        )
    gradient = tape.gradient(loss, logits).numpy()[:, 0]
    assert np.isfinite(gradient).all()
    assert not gradient[..., 1].any()
    assert gradient[..., [0, 2, 3, 4]].any(axis=(0, 1)).all()
    kept = logits[:, 0].numpy()[..., [0, 2, 3, 4]]
    steps = np.array([6, 6])
    alone = focal_ctc_loss(np.array([[0, 1], [2, -1]], np.int32), kept, steps, gamma=0.0)
    drifted = tf.reduce_mean(tf.reduce_sum(tf.square(tf.reduce_logsumexp(kept, axis=-1)), axis=1))
    expected = (1 - smoothing) * alone + smoothing * certainty(kept, steps) + 1e-3 * drifted
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_a_device_moves_only_the_outputs_of_classes_it_has() -> None:
    warm = trainer("lenet", 5, seed=0, height=HEIGHT)
    start, mine = warm.initial(), digits(16, 3)

    def moved(missing: str) -> np.ndarray:
        settings = replace(PLAIN, missing_classes=missing)
        after, _ = warm.train(start, mine, settings, quantized=False, seed=(1, 1))
        length: np.ndarray = np.abs(after["logits/kernel"] - start["logits/kernel"]).sum(axis=0)
        return length

    assert moved("masked")[:3].all()
    assert not moved("masked")[3:].any()
    assert moved("adjusted").all()


@pytest.mark.parametrize("name", ["lenet", "tcn"])
def test_a_teacher_has_no_say_in_classes_that_it_does_not_know(name: str) -> None:
    """It alone decides (weight 1): what is new to it stays, with its bias, and what it knows moves."""
    small, warm = (trainer(name, classes, seed=0, height=HEIGHT) for classes in (3, 5))
    arrays = small.initial()
    arrays["logits/bias"] = np.arange(len(arrays["logits/bias"]), dtype=np.float32)
    teacher = Teacher(name, 0.0, arrays, (0, 2, 4))
    settings = replace(PLAIN, distillation_weight=1.0, distillation_temperature=2.0)
    mine = texts(5) if FAMILIES[name].columns else digits(16, 5)
    after, _ = warm.train(warm.initial(), mine, settings, quantized=False, seed=(1, 1), teacher=teacher)
    bias = np.abs(after["logits/bias"] - warm.initial()["logits/bias"])
    assert bias[[0, 2, 4]].all()
    assert not bias[[1, 3]].any()
    if FAMILIES[name].columns:
        assert bias[5] > 0  # the blank


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_ends_in_what_grows(name: str) -> None:
    """`handfed.shared.continual.growth` knows the last layer by its name, and its outputs by the last axis."""
    columns = bool(FAMILIES[name].columns)
    shapes = [NamedVariables(build(name, outputs, HEIGHT)).schema for outputs in (3, 5)]
    different = [few.name for few, many in zip(*(each.specs for each in shapes), strict=True) if few != many]
    assert different == ["logits/kernel", "logits/bias"]
    assert [spec.shape[-1] for spec in shapes[1].specs if spec.name in different] == [5, 5]
    assert objective_of(name, 4, None).outputs == 4 + columns


@pytest.mark.parametrize("name", ["lenet", "tcn"])
def test_a_model_that_has_grown_says_the_same_of_what_it_knew(name: str) -> None:
    """Of characters, and of texts with their blank: the logits of old classes are those of the model before."""
    columns = FAMILIES[name].columns
    small, large = (trainer(name, classes, seed=0, height=HEIGHT) for classes in (3, 5))
    before, after = ("b", "d", "e"), ("a", "b", "c", "d", "e")
    arrays = large.grown(small.initial(), before, after)
    schema = large.schema(quantized=False)
    schema.check(schema.pack(arrays))
    pictures = texts(2).images if columns else digits(3, 2).images
    old = small.logits(small.initial(), pictures, quantized=False)
    new = large.logits(arrays, pictures, quantized=False)
    places = [1, 3, 4, *([5] if columns else [])]
    np.testing.assert_allclose(new[..., places], old, rtol=1e-5, atol=1e-5)


def test_the_quantization_aware_model_grows_too() -> None:
    small, large = (trainer("lenet", classes, seed=0, height=HEIGHT) for classes in (3, 5))
    float_arrays = small.initial()
    full = float_arrays | small.calibrate(float_arrays, digits(20, 3))
    arrays = {name: full[name] for name in small.schema(quantized=True).names()}
    grown = large.grown(arrays, ("a", "b", "c"), ("a", "b", "c", "d", "e"))
    schema = large.schema(quantized=True)
    schema.check(schema.pack(grown))
    pictures = digits(3, 2).images
    old, new = small.logits(arrays, pictures, quantized=True), large.logits(grown, pictures, quantized=True)
    # The range of the last kernel may be wider now: a step of it, summed, is all that outputs may differ by.
    np.testing.assert_allclose(new[:, :3], old, atol=0.1)
