"""A model file is run as LiteRT runs it, or refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handfed.shared.datasets import Dataset
from handfed.shared.errors import ManifestError, MissingExtraError
from handfed.shared.litert import Int8Model, _quantization_table, softmax


@pytest.fixture(scope="module")
def model(trained_model_bytes: bytes) -> Int8Model:
    return Int8Model(trained_model_bytes)


@pytest.fixture(scope="module")
def alone(model: Int8Model, digits: Dataset) -> np.ndarray:
    """Logits of the first 600 digits, each read by itself."""
    return np.concatenate([model.logits(digits.images[row : row + 1]) for row in range(600)])


def test_it_reads_real_digits(model: Int8Model, digits: Dataset) -> None:
    readings = model.logits(digits.images[4000:]).argmax(axis=1)
    assert (readings == digits.labels[4000:]).mean() > 0.85  # it was trained for a moment only


def test_it_knows_its_classes_its_step_and_its_size(model: Int8Model, trained_model_bytes: bytes) -> None:
    assert model.outputs == 10
    assert 0.01 < model.output_step < 1
    assert model.size_bytes == len(trained_model_bytes)
    assert model.operators_with_floats() == []


@pytest.mark.parametrize("sizes", [[1, 2, 1], [256, 1, 256], [257, 3], [600], [1, 599]])
def test_an_image_gives_the_same_logits_in_a_batch_of_any_size(
    model: Int8Model, digits: Dataset, alone: np.ndarray, sizes: list[int]
) -> None:
    start = 0
    for size in sizes:
        found = model.logits(digits.images[start : start + size])
        np.testing.assert_array_equal(found, alone[start : start + size])
        start += size


def test_no_image_gives_no_logits(model: Int8Model) -> None:
    assert model.logits(np.zeros((0, 28, 28), np.uint8)).shape == (0, 10)


def test_logits_are_whole_steps_from_the_zero_point(model: Int8Model, alone: np.ndarray) -> None:
    steps = alone / np.float32(model.output_step) + model._output_zero
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert steps.min() >= -128.001
    assert steps.max() <= 127.001


def test_threads_change_no_logit(trained_model_bytes: bytes, digits: Dataset, alone: np.ndarray) -> None:
    np.testing.assert_array_equal(Int8Model(trained_model_bytes, threads=2).logits(digits.images[:600]), alone)


def test_memory_is_laid_out_only_when_the_batch_changes(
    trained_model_bytes: bytes, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Int8Model(trained_model_bytes)
    layouts: list[None] = []
    allocate: Callable[[], None] = model._interpreter.allocate_tensors

    def counted() -> None:
        layouts.append(None)
        allocate()

    monkeypatch.setattr(model._interpreter, "allocate_tensors", counted)
    for row in range(5):
        model.logits(digits.images[row : row + 1])
    assert not layouts
    model.logits(digits.images[:3])
    model.logits(digits.images[3:6])
    assert len(layouts) == 1


def test_the_image_range_becomes_every_integer() -> None:
    np.testing.assert_array_equal(_quantization_table(np.int8, float(np.float32(1 / 255)), -128), np.arange(-128, 128))


@given(st.floats(0.0001, 10), st.integers(-128, 127))
def test_a_quantized_level_is_within_half_a_step(scale: float, zero_point: int) -> None:
    table = _quantization_table(np.int8, scale, zero_point).astype(np.float64)
    assert np.all(np.diff(table) >= 0)
    off = np.abs((table - zero_point) * scale - np.arange(256) / 255)
    assert np.all((off <= scale * 0.5001) | (table == 127))


@pytest.mark.parametrize("most", [0.7, 1.0, 2.0, 4.0])  # at 2 and 4 many levels lie halfway between two integers
def test_levels_are_rounded_as_by_the_reference_kernel(most: float) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from handfed.shared.tf.runtime import quiet, tf

    def quantize(levels: object) -> object:
        return tf.nn.max_pool2d(tf.quantization.fake_quant_with_min_max_args(levels, 0.0, most), 1, 1, "VALID")

    traced = tf.function(quantize, input_signature=[tf.TensorSpec([1, 256, 1, 1], tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_output_type = tf.int8
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of statistics, which the range stands for
        content = bytes(converter.convert())
    reference = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    reference.allocate_tensors()
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    reference.set_tensor(reference.get_input_details()[0]["index"], levels.reshape(1, 256, 1, 1))
    reference.invoke()
    target = reference.get_output_details()[0]
    expected = reference.get_tensor(target["index"]).ravel()
    assert expected.dtype == np.int8
    np.testing.assert_array_equal(_quantization_table(np.int8, *target["quantization"]), expected)


@given(st.binary(max_size=2000))
def test_random_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ManifestError, match=r"^model: this is no LiteRT model that can be loaded; pull"):
        Int8Model(content)


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(trained_model_bytes: bytes, fraction: float) -> None:
    with pytest.raises(ManifestError, match="no LiteRT model"):
        Int8Model(trained_model_bytes[: int(len(trained_model_bytes) * fraction)])


def test_a_file_that_lacks_its_last_byte_is_refused(trained_model_bytes: bytes) -> None:
    with pytest.raises(ManifestError, match="no LiteRT model"):
        Int8Model(trained_model_bytes[:-1])


def test_a_path_is_read(tmp_path: Path, trained_model_bytes: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(trained_model_bytes)
    assert Int8Model(path).outputs == 10


def test_a_directory_or_nothing_is_refused(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "model.tflite", "No such file")):
        with pytest.raises(ManifestError, match=rf"^the release: cannot be read \({why}"):
            Int8Model(path, where="the release")


def _converted(shape: tuple[int, ...], outputs: int, *, int8: bool, rows: int = -1, joined: bool = False) -> bytes:
    """A LiteRT file of one dense layer: its input gets `rows` rows, and `joined` leaves the first of its output."""
    from handfed.shared.tf.runtime import quiet, tf

    size = int(np.prod(shape))
    weights = tf.constant(np.random.default_rng(0).normal(size=(size, outputs)).astype(np.float32))

    def forward(picture: object) -> object:
        logits = tf.matmul(tf.reshape(picture, (rows, size)), weights)
        return tf.gather(logits, [0]) if joined else logits

    traced = tf.function(forward, input_signature=[tf.TensorSpec([1, *shape], tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([np.full((1, *shape), level, np.float32)] for level in (0, 1))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of statistics, which are as we want them
        return bytes(converter.convert())


@pytest.mark.parametrize(
    ("shape", "outputs", "int8", "why"),
    [
        ((28, 28, 1), 10, False, r"it is float32 \(1, 28, 28, 1\) to .*and not int8 \(1, 28, 28, channels\)"),
        ((32, 32, 1), 10, True, r"it is int8 \(1, 32, 32, 1\)"),
        ((784,), 10, True, r"it is int8 \(1, 784\)"),
        ((28, 28, 1), 1, True, r"to int8 \(1, 1\), and not"),
    ],
)
def test_a_model_of_another_form_is_refused(shape: tuple[int, ...], outputs: int, int8: bool, why: str) -> None:
    with pytest.raises(ManifestError, match=why):
        Int8Model(_converted(shape, outputs, int8=int8))


def test_a_model_of_any_batch_is_run_in_batches() -> None:
    model = Int8Model(_converted((28, 28, 1), 10, int8=True))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    alone = np.concatenate([model.logits(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(model.logits(pictures), alone)


@pytest.mark.parametrize(("rows", "joined"), [(1, False), (-1, True)])
def test_a_model_for_one_image_alone_is_not_run_on_more(rows: int, joined: bool) -> None:
    """A shape that is fixed within a model must not give three images the logits of one."""
    model = Int8Model(_converted((28, 28, 1), 10, int8=True, rows=rows, joined=joined))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    first = model.logits(pictures[:1])
    with pytest.raises(ManifestError, match="LiteRT cannot run this model"):
        model.logits(pictures)
    np.testing.assert_array_equal(model.logits(pictures[:1]), first)


def test_loading_and_running_write_nothing(tmp_path: Path, trained_model_bytes: bytes) -> None:
    good, bad = tmp_path / "good.tflite", tmp_path / "bad.tflite"
    good.write_bytes(trained_model_bytes)
    bad.write_bytes(trained_model_bytes[:-1])
    program = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from handfed.shared.errors import ManifestError\nfrom handfed.shared.litert import Int8Model\n"
        "model = Int8Model(Path(sys.argv[1]))\n"
        "model.logits(np.zeros((3, 28, 28), np.uint8))\n"
        "try:\n    Int8Model(Path(sys.argv[2]))\nexcept ManifestError: pass\n"
    )
    result = subprocess.run([sys.executable, "-c", program, good, bad], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


def test_without_litert_it_says_what_to_install(trained_model_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'handfed-clients\[edge\]'"):
        Int8Model(trained_model_bytes)


LOGITS = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(2, 8)), elements=st.floats(-80, 80, width=32)
)


@given(LOGITS, st.integers(-100, 100))
def test_probabilities_sum_to_one_and_ignore_a_shift(logits: np.ndarray, shift: int) -> None:
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(softmax(logits + np.float32(shift)), probabilities, atol=2e-5)
    assert np.all(probabilities[np.arange(len(logits)), logits.argmax(axis=1)] == probabilities.max(axis=1))
