"""What tests of several parts share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from handfed.shared.datasets import Dataset
from handfed.shared.manifest import MANIFEST, MODEL, MODEL_CARD, File, Manifest
from handfed.shared.metrics import paired_difference

# As every engine: sums of one thread are the same to the bit, in whichever process. Read when TensorFlow starts.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# A busy machine is no failure; pytest's own timeout catches what hangs. A folder that all examples of a test share is
# written anew by each of them.
settings.register_profile(
    "handfed", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("handfed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts tests of real processes first: they mostly wait, so that others run beside them."""
    items.sort(key=lambda item: not {"e2e", "browser"} & set(item.path.parts))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real handwriting beside the repository; it is no part of the project."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real handwriting is not here: there is no folder ../shared/data beside the repository")
    return folder


@pytest.fixture(scope="session")
def int8_of() -> Callable[[Callable[[Any], Any], tuple[int, ...]], bytes]:
    """Makes an all-integer LiteRT file of a function of pictures (1, *shape) in 0..1, as quickly as can be."""
    from handfed.shared.tf.runtime import quiet, tf

    def convert(forward: Callable[[Any], Any], shape: tuple[int, ...]) -> bytes:
        traced = tf.function(forward, input_signature=[tf.TensorSpec([1, *shape], tf.float32)])
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        pictures = np.random.default_rng(0).random((20, 1, *shape)).astype(np.float32)
        pictures[0], pictures[1] = 0, 1
        converter.representative_dataset = lambda: ([picture] for picture in pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of statistics, which are as we want them
            return bytes(converter.convert())

    return convert


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The 5,000 real digits that a dependency ships, shuffled: they come sorted by class."""
    from handfed.simulations.datasets.mnist5k import MNIST5K

    dataset = MNIST5K.load()
    return dataset.take(np.random.default_rng(0).permutation(len(dataset)))


@pytest.fixture(scope="session")
def trained_arrays(digits: Dataset) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """A `Trainer` with the float and the quantization-aware arrays of a cnn that was trained for a moment.

    It has seen the first 2,000 `digits`.
    """
    from handfed.shared.local_training import LocalTraining
    from handfed.shared.run_settings import RunSettings
    from handfed.shared.tf.training import Trainer

    seen = digits.take(np.arange(2000))
    trainer = Trainer("cnn", 10, seed=0)
    run = RunSettings(local_epochs=3, batch_size=32, label_prior=0.0, augmentation=0.0, dropout=0.0)
    settings = LocalTraining.of(run, learning_rate=0.05, freeze_statistics=True)
    start = trainer.initial()
    start |= trainer.measure_statistics(start, seen.samples.take(np.arange(500)))
    floating, _ = trainer.train(start, seen.samples, settings, quantized=False, seed=(0, 1))
    arrays = floating | trainer.calibrate(floating, seen.samples)
    fine = replace(settings, epochs=1, learning_rate=0.005)
    arrays, _ = trainer.train(arrays, seen.samples, fine, quantized=True, seed=(0, 2))
    return trainer, floating, arrays


@pytest.fixture(scope="session")
def trained_release(
    digits: Dataset, trained_arrays: tuple[Any, dict[str, Any], dict[str, Any]]
) -> tuple[Manifest, bytes]:
    """A release of `trained_arrays`, converted to INT8; its metrics are of the last 1,000 `digits`."""
    from handfed.server.releases.publish import check_conversion, weights_sha256
    from handfed.shared.litert import Int8Model
    from handfed.shared.tf.export import to_int8

    held_out = digits.take(np.arange(4000, 5000))
    trainer, floating, arrays = trained_arrays
    model = to_int8(trainer.quantized_model(arrays))
    float_right = trainer.logits(floating, held_out.images, quantized=False).argmax(axis=1) == held_out.labels
    int8_right = Int8Model(model).logits(held_out.images).argmax(axis=1) == held_out.labels
    difference = paired_difference(int((float_right & ~int8_right).sum()), int((int8_right & ~float_right).sum()), 1000)
    manifest = Manifest(
        release=1,
        task="characters",
        recogniser="cnn",
        alphabet=digits.alphabet,
        run=1,
        parent=None,
        strategy="fedavg",
        rounds=1,
        devices=1,
        created_at="2026-01-31T12:00:00+00:00",
        training_seconds=10.0,
        licence=digits.licence,
        weights_sha256=weights_sha256(arrays),
        model=File.of(model),
        metrics={
            "samples": 1000,
            "split_by": "image",
            "accuracy_float": float(float_right.mean()),
            "accuracy_int8": float(int8_right.mean()),
            "float_minus_int8": difference.as_json(),
        },
        self_test=check_conversion(trainer, arrays, model),
    )
    return manifest, model


@pytest.fixture(scope="session")
def trained_model_bytes(trained_release: tuple[Manifest, bytes]) -> bytes:
    """The `.tflite` file of `trained_release`: it reads about nine digits in ten."""
    return trained_release[1]


@pytest.fixture(scope="session")
def release_directory(trained_release: tuple[Manifest, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`trained_release` as release 1 of the data directory `release_directory.parents[1]`; copy it to change it."""
    from handfed.server.releases.model_card import model_card

    manifest, model = trained_release
    directory = tmp_path_factory.mktemp("handfed-data") / "releases" / "0001"
    directory.mkdir(parents=True)
    (directory / MANIFEST).write_bytes(manifest.encode())
    (directory / MODEL).write_bytes(model)
    (directory / MODEL_CARD).write_text(model_card(manifest), encoding="utf-8")
    return directory
