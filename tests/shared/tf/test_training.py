"""Local training, on real digits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from handfed.shared.continual.growth import HEAD
from handfed.shared.datasets import Dataset
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining, Teacher
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.scores import Score
from handfed.shared.tf.export import to_int8
from handfed.shared.tf.training import Trainer
from handfed.shared.wire import Role

SETTINGS = LocalTraining.of(RunSettings(local_epochs=1, dropout=0.0), learning_rate=0.02, freeze_statistics=True)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer("cnn", 10, seed=0)


@pytest.fixture(scope="module")
def start(trainer: Trainer, digits: Dataset) -> Arrays:
    initial = trainer.initial()
    return initial | trainer.measure_statistics(initial, digits.samples.take(np.arange(200)))


def train(trainer: Trainer, arrays: Arrays, data: Dataset, **changes: object) -> tuple[Arrays, float]:
    seed = changes.pop("seed", (0, 1))
    quantized = bool(changes.pop("quantized", False))
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return trainer.train(arrays, data.samples, settings, quantized=quantized, seed=seed)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_arrays_and_another_seed_others(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part = digits.take(np.arange(64))
    first, _ = train(trainer, start, part)
    again, _ = train(trainer, start, part)
    other, _ = train(trainer, start, part, seed=(0, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["conv1/kernel"], other["conv1/kernel"])


def test_two_trainers_of_one_seed_start_alike(trainer: Trainer) -> None:
    twin = Trainer("cnn", 10, seed=0).initial()
    assert all(np.array_equal(array, twin[name]) for name, array in trainer.initial().items())
    assert not np.array_equal(Trainer("cnn", 10, seed=1).initial()["conv1/kernel"], twin["conv1/kernel"])


def test_training_lowers_the_loss(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    part = digits.take(np.arange(200))
    before = trainer.evaluate(start, part.samples, quantized=False).nats
    trained, _ = train(trainer, start, part, epochs=8)
    score = trainer.evaluate(trained, part.samples, quantized=False)
    assert score.nats < before / 2
    assert score.correct > 150


def test_frozen_statistics_stay_and_running_ones_move(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    part = digits.take(np.arange(64))
    names = trainer.schema(quantized=False).names(Role.MEAN, Role.SECOND_MOMENT)
    frozen, _ = train(trainer, start, part)
    running, _ = train(trainer, start, part, freeze_statistics=False)
    for name in names:
        np.testing.assert_allclose(frozen[name], start[name], rtol=1e-5, atol=1e-6)
    assert not np.allclose(running[names[0]], start[names[0]])
    frozen_again, _ = train(trainer, start, part)
    np.testing.assert_array_equal(frozen_again["conv1/kernel"], frozen["conv1/kernel"])


def test_measured_statistics_are_those_of_the_images(trainer: Trainer, digits: Dataset) -> None:
    initial = trainer.initial()
    both = trainer.measure_statistics(initial, digits.samples.take(np.arange(1200)))  # more than one batch
    halves = [
        trainer.measure_statistics(initial, digits.samples.take(np.arange(600))),
        trainer.measure_statistics(initial, digits.samples.take(np.arange(600, 1200))),
    ]
    # The first layer sees the images themselves, so there the mean over halves is the mean over all.
    for name in ("norm1/mean", "norm1/second_moment"):
        np.testing.assert_allclose((halves[0][name] + halves[1][name]) / 2, both[name], rtol=1e-4, atol=1e-6)


def test_a_device_with_one_class_forgets_less_with_the_label_prior(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    knowing, _ = train(trainer, start, digits.take(np.arange(800)), epochs=3)
    only_threes = digits.take(np.flatnonzero(digits.labels[:1500] == 3))
    rest = digits.take(np.arange(1500, 2000))

    def correct_after(label_prior: float) -> int:
        arrays, _ = train(trainer, knowing, only_threes, epochs=3, label_prior=label_prior)
        return trainer.evaluate(arrays, rest.samples, quantized=False).correct

    assert correct_after(1.0) > correct_after(0.0) + 50


def test_the_proximal_term_keeps_weights_near_their_start(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    part = digits.take(np.arange(64))

    def distance(mu: float) -> float:
        arrays, _ = train(trainer, start, part, epochs=3, proximal_mu=mu)
        return sum(float(np.square(arrays[name] - start[name]).sum()) for name in start)

    assert distance(5.0) < distance(0.0)


def test_accumulated_gradients_are_those_of_the_whole(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    """One step over a pass in small batches is the step over one large batch (FedSGD, McMahan et al. 2017)."""
    part = digits.take(np.arange(70))  # the last batch is smaller, and counts for less
    plain = {"augmentation": 0.0, "clip_norm": 1e6, "momentum": 0.0}
    whole, _ = train(trainer, start, part, batch_size=70, **plain)
    small, _ = train(trainer, start, part, batch_size=16, accumulation=0, **plain)
    for name in start:
        np.testing.assert_allclose(small[name], whole[name], atol=1e-5)


def test_of_one_whole_step_the_mean_over_devices_is_the_step_over_all_images(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    """FedSGD (McMahan et al. 2017): it does not matter who holds what, not even where each holds one class."""
    plain = {"accumulation": 0, "augmentation": 0.0, "momentum": 0.0, "clip_norm": 1e6, "label_prior": 0.0}
    part = digits.take(np.arange(300))
    together, _ = train(trainer, start, part, batch_size=64, **plain)
    mean: dict[str, np.ndarray] = {name: np.zeros(array.shape) for name, array in start.items()}
    for label in range(10):
        mine = part.take(np.flatnonzero(part.labels == label))
        apart, _ = train(trainer, start, mine, batch_size=16, **plain)
        mean = {name: total + apart[name] * (len(mine) / len(part)) for name, total in mean.items()}
    for name, array in together.items():
        np.testing.assert_allclose(mean[name], array, atol=1e-6, err_msg=name)
    assert np.abs(together["logits/kernel"] - start["logits/kernel"]).max() > 1e-4


@pytest.mark.parametrize(
    ("changes", "batches"),
    [({}, 5), ({"epochs": 3}, 15), ({"steps": 2}, 2), ({"steps": 7}, 7), ({"steps": 2, "accumulation": 3}, 6),
     ({"steps": 2, "accumulation": 0}, 10)],
)  # fmt: skip
def test_a_round_is_as_many_batches_as_asked(changes: dict[str, int], batches: int) -> None:
    assert dataclasses.replace(SETTINGS, **changes).batches(70) == batches  # type: ignore[arg-type]


def test_steps_instead_of_passes_stop_early_and_go_on_into_the_next_pass(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part = digits.take(np.arange(64))  # four batches a pass
    by_passes, _ = train(trainer, start, part, epochs=2)
    by_steps, _ = train(trainer, start, part, steps=8)
    np.testing.assert_array_equal(by_passes["conv1/kernel"], by_steps["conv1/kernel"])
    fewer, _ = train(trainer, start, part, steps=3)
    assert not np.array_equal(fewer["conv1/kernel"], train(trainer, start, part)[0]["conv1/kernel"])


def test_float_and_quantized_models_share_every_name_but_the_ranges(trainer: Trainer) -> None:
    floating, quantized = trainer.schema(quantized=False), trainer.schema(quantized=True)
    assert set(quantized.names()) - set(floating.names()) == set(quantized.names(Role.RANGE))
    assert set(floating.names()) <= set(quantized.names())
    assert {spec.name: spec.shape for spec in floating.specs}.items() <= {
        spec.name: spec.shape for spec in quantized.specs
    }.items()


def test_calibrated_ranges_bound_the_activations(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    few, many = (trainer.calibrate(start, digits.samples.take(np.arange(count))) for count in (100, 700))
    assert set(few) == set(trainer.schema(quantized=True).names(Role.RANGE))
    for name, (low, high) in many.items():
        assert low <= few[name][0] <= 0 <= few[name][1] <= high


def test_what_all_logits_have_in_common_is_taken_off_and_readings_stay(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    """By Adam they drift off together, which a softmax does not see."""
    drifted, _ = train(trainer, start, digits.take(np.arange(300)), optimiser="adam")
    centred = trainer.centred(drifted)
    before, after = (trainer.logits(each, digits.images[300:400], quantized=False) for each in (drifted, centred))
    assert np.abs(before.mean(axis=1)).max() > 0.05
    np.testing.assert_allclose(after, before - before.mean(axis=1, keepdims=True), atol=1e-3)
    assert {name for name in drifted if not np.array_equal(drifted[name], centred[name])} == set(HEAD)


def test_logits_of_texts_stay_as_they_are() -> None:
    trainer = Trainer("tcn", 3, seed=0, height=32)
    start = trainer.initial()
    assert all(np.array_equal(array, start[name]) for name, array in trainer.centred(start).items())


def test_the_int8_file_is_all_integers_and_agrees_with_the_quantized_model(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part = digits.take(np.arange(600))
    floating, _ = train(trainer, start, part, epochs=3)
    calibrated = floating | trainer.calibrate(floating, part.samples)
    quantized, _ = train(trainer, calibrated, part, quantized=True, learning_rate=0.005)
    schema = trainer.schema(quantized=True)
    schema.check(schema.pack(quantized))
    model = Int8Model(to_int8(trainer.quantized_model(quantized)))
    assert model.operators_with_floats() == []
    expected = trainer.logits(quantized, digits.images[600:800], quantized=True)
    found = model.logits(digits.images[600:800])
    assert np.abs(expected - found).max() <= 2 * model.output_step
    assert (expected.argmax(axis=1) == found.argmax(axis=1)).mean() >= 0.98  # of near ties, either may win


def test_class_weights_change_what_is_learned(digits: Dataset) -> None:
    part = digits.take(np.arange(64))
    heavy = Trainer("cnn", 10, seed=0, alpha=np.array([1] * 9 + [5], np.float32))
    plain = Trainer("cnn", 10, seed=0)
    start = plain.initial()
    assert not np.array_equal(train(heavy, start, part)[0]["logits/bias"], train(plain, start, part)[0]["logits/bias"])


def test_balanced_classes_attend_to_what_a_device_has_little_of(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    many, few = np.flatnonzero(digits.labels[:2000] == 3), np.flatnonzero(digits.labels[:2000] == 8)[:15]
    mine = digits.take(np.concatenate([many, few]))
    rest = digits.take(np.flatnonzero(digits.labels[2000:] == 8) + 2000)

    def correct(class_weights: str) -> int:
        arrays, _ = train(trainer, start, mine, epochs=2, label_prior=0.0, class_weights=class_weights)
        return trainer.evaluate(arrays, rest.samples, quantized=False).correct

    assert correct("balanced") > correct("none") + 50


def test_balanced_classes_change_nothing_where_a_device_has_as_many_of_each(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part = digits.take(np.concatenate([np.flatnonzero(digits.labels == label)[:4] for label in range(10)]))
    balanced, _ = train(trainer, start, part, class_weights="balanced")
    plain, _ = train(trainer, start, part)
    for name, array in plain.items():
        np.testing.assert_allclose(balanced[name], array, atol=1e-5)


def test_smoothed_labels_make_the_model_less_sure(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    part = digits.take(np.arange(300))

    def surest(smoothing: float) -> float:
        arrays, _ = train(trainer, start, part, epochs=5, label_smoothing=smoothing)
        logits = trainer.logits(arrays, part.images, quantized=False)
        return float(np.exp(logits.max(axis=1) - np.log(np.exp(logits).sum(axis=1))).mean())

    assert surest(0.3) < surest(0.0) - 0.02


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adam-mini"])
def test_weight_decay_is_decoupled_and_acts_on_kernels_alone(
    optimiser: str, trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    """Loshchilov and Hutter 2019, algorithms 1 and 2: a step, and beside it the rate times the decay off the weight."""
    part = digits.take(np.arange(32))
    one_step = {"steps": 1, "accumulation": 0, "optimiser": optimiser}
    plain, _ = train(trainer, start, part, **one_step)
    decayed, _ = train(trainer, start, part, weight_decay=0.5, **one_step)
    for name, array in plain.items():
        off = SETTINGS.learning_rate * 0.5 * start[name] if name.endswith("kernel") else 0.0
        np.testing.assert_allclose(decayed[name], array - off, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("quantized", [False, True])
def test_a_model_learns_from_its_teacher_what_no_label_says(
    quantized: bool, trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part, rest = digits.take(np.arange(400)), digits.take(np.arange(4000, 4400))
    taught_by, _ = train(trainer, start, part, epochs=12)
    blank = dataclasses.replace(part, samples=dataclasses.replace(part.samples, labels=np.zeros(400, np.int32)))
    begin = start | trainer.calibrate(taught_by, part.samples) if quantized else start
    found, _ = trainer.train(
        begin,
        blank.samples,
        dataclasses.replace(SETTINGS, epochs=9, distillation_weight=1.0, distillation_temperature=2.0),
        quantized=quantized,
        seed=(0, 1),
        teacher=Teacher("cnn", 0.0, taught_by),
    )
    assert trainer.evaluate(taught_by, rest.samples, quantized=False).correct > 300
    assert trainer.evaluate(found, rest.samples, quantized=quantized).correct > 300


def test_a_pruned_model_of_texts_learns_from_the_whole_one_frame_by_frame(digits: Dataset) -> None:
    lines = [np.pad(np.concatenate(list(digits.images[row : row + 3]), axis=1), ((2, 2), (4, 4))) for row in range(8)]
    texts = Samples.of_texts(lines, [digits.labels[row : row + 3].tolist() for row in range(8)])
    whole, narrow = (Trainer("tcn", 10, seed=0, height=32, pruning=pruning) for pruning in (0.0, 0.5))
    start = whole.initial() | whole.measure_statistics(whole.initial(), texts)
    settings = dataclasses.replace(SETTINGS, epochs=1, augmentation=0.0, distillation_weight=1.0)
    pruned, teacher = narrow.pruned(start, 0.0), Teacher("tcn", 0.0, start)

    def divergence(arrays: Arrays) -> float:
        """The loss before any step: training by no learning rate changes nothing."""
        still = dataclasses.replace(settings, learning_rate=0.0)
        return narrow.train(arrays, texts, still, quantized=False, seed=(0, 1), teacher=teacher)[1]

    longer = dataclasses.replace(settings, epochs=12)
    found, _ = narrow.train(pruned, texts, longer, quantized=False, seed=(0, 1), teacher=teacher)
    assert 0 <= divergence(found) < 0.7 * divergence(pruned)


def test_in_mixed_precision_a_model_learns_as_well_and_the_same_each_time(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part, rest = digits.take(np.arange(800)), digits.take(np.arange(4000, 4400))
    mixed, again, plain = (
        train(trainer, start, part, epochs=3, dropout=0.2, mixed_precision=chosen)[0] for chosen in (True, True, False)
    )
    schema = trainer.schema(quantized=False)
    schema.check(schema.pack(mixed))
    assert all(np.array_equal(mixed[name], again[name]) for name in mixed)
    assert not np.array_equal(mixed["conv1/kernel"], plain["conv1/kernel"])
    correct = [trainer.evaluate(arrays, rest.samples, quantized=False).correct for arrays in (mixed, plain)]
    assert min(correct) > 300
    assert abs(correct[0] - correct[1]) < 30


def test_quantization_aware_training_is_never_in_mixed_precision(
    trainer: Trainer, start: Arrays, digits: Dataset
) -> None:
    part = digits.take(np.arange(64))
    begin = start | trainer.calibrate(start, part.samples)
    found, plain = (train(trainer, begin, part, quantized=True, mixed_precision=chosen)[0] for chosen in (True, False))
    np.testing.assert_array_equal(found["conv1/kernel"], plain["conv1/kernel"])


def test_a_device_with_no_held_out_image_evaluates_to_nothing(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    assert trainer.evaluate(start, digits.samples.take(np.arange(0)), quantized=False) == Score()


def test_labels_count_what_they_weigh(trainer: Trainer, start: Arrays, digits: Dataset) -> None:
    part = digits.take(np.arange(64))
    wrong = (part.labels + 1) % 10
    wrong[:32] = part.labels[:32]

    def trained(labels: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        samples = Samples(part.images, labels.astype(np.int32), weights=weights)
        arrays, _ = trainer.train(
            start, samples, dataclasses.replace(SETTINGS, label_prior=0.0), quantized=False, seed=(0, 1)
        )
        return np.asarray(arrays["conv1/kernel"])

    all_of_it, half = np.ones(64, np.float32), np.repeat([1.0, 0.0], 32).astype(np.float32)
    assert np.array_equal(trained(part.labels, None), trained(part.labels, all_of_it))
    assert np.array_equal(trained(part.labels, half), trained(wrong, half))
    assert not np.array_equal(trained(part.labels, all_of_it), trained(wrong, all_of_it))
