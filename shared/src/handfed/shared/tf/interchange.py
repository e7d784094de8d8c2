"""A float model in formats of others: TensorFlow's SavedModel, ONNX and Core ML; and a LiteRT file as ONNX.

Every format has the same signature, but that a LiteRT file has none of its own (see `int8_to_onnx`):

    pictures        float32 (n, height, width, channels), 0 is paper and 1 is ink; of texts any width
    logits          float32 (n, classes), or of texts (n, steps, classes + 1), the blank last
    probabilities   float32, softmax(logits / temperature)

tf2onnx and coremltools come with the extra `export` of handfed-server; nothing else here imports them. coremltools has
no wheel for Linux on ARM.

Sources: TensorFlow's SavedModel; ONNX operator set 17; Core ML's ML programs (`.mlpackage`), of iOS 15 and macOS 12 on.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import MissingExtraError
from handfed.shared.samples import WIDTH_STEP
from handfed.shared.tf.runtime import quiet, tf

PICTURES: Final = "pictures"
LOGITS: Final = "logits"
PROBABILITIES: Final = "probabilities"
OPSET: Final = 17  # what TensorRT 8.6 and ONNX Runtime 1.12 read, and all later ones
WIDTHS: Final = (WIDTH_STEP, 4096)  # pixels, of texts in Core ML, which wants bounds
_EXTRA: Final = "handfed-server[export]"
_LAID_OUT: Final = 128  # pixels that Core ML takes for the usual width


def _serving(model: Any, temperature: float, *, batch: int | None = None) -> Any:  # noqa: ANN401 - TensorFlow's types
    """The signature of this module as a `tf.function` of a Keras model.

    Args:
        model: float32 (batch, height, width, channels) to logits.
        temperature: What logits are divided by for probabilities.
        batch: How many pictures; None for any number.
    """
    _, height, width, channels = model.input_shape
    spec = tf.TensorSpec([batch, height, width, channels], tf.float32, name=PICTURES)

    @tf.function(autograph=False, input_signature=[spec])
    def serve(pictures: Any) -> dict[str, Any]:  # noqa: ANN401
        logits = model(pictures, training=False)
        if len(logits.shape) > 2:  # noqa: PLR2004 - of texts (n, 1, steps, classes + 1)
            logits = tf.squeeze(logits, axis=1)
        return {
            LOGITS: tf.identity(logits, LOGITS),
            PROBABILITIES: tf.nn.softmax(logits / temperature, name=PROBABILITIES),
        }

    return serve


def write_saved_model(model: Any, temperature: float, directory: Path) -> None:  # noqa: ANN401
    """Writes a SavedModel with the signature `serving_default`, which TensorFlow Serving looks for.

    Args:
        model: A float Keras model.
        temperature: What logits are divided by for probabilities.
        directory: Is made.
    """
    module = tf.Module()
    module.kept, module.serve = model.variables, _serving(model, temperature)
    with silent():
        signatures = {"serving_default": module.serve.get_concrete_function()}
        tf.saved_model.save(module, str(directory), signatures=signatures)


class SavedModel:
    """A SavedModel as it was written, and not the model that it was made of.

    Args:
        directory: Where it is.
    """

    def __init__(self, directory: Path) -> None:
        with silent():
            self._kept = tf.saved_model.load(str(directory))  # its variables live as long as it does
        self._serve = self._kept.signatures["serving_default"]

    def __call__(self, pictures: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits and probabilities of pictures."""
        found = self._serve(**{PICTURES: tf.constant(pictures)})
        return found[LOGITS].numpy(), found[PROBABILITIES].numpy()


def to_onnx(model: Any, temperature: float) -> bytes:  # noqa: ANN401
    """Converts a float Keras model to ONNX.

    Raises:
        MissingExtraError: tf2onnx is not installed.
    """
    serve = _serving(model, temperature)
    with silent(), _extra("tf2onnx"):
        from tf2onnx import convert

        made, _ = convert.from_function(serve, input_signature=serve.input_signature, opset=OPSET)
    return bytes(made.SerializeToString())


def int8_to_onnx(model: Path) -> bytes:
    """Converts a LiteRT file to ONNX, each operator between a dequantization and a quantization (QDQ).

    Args:
        model: A `.tflite` file. Its picture and its output stay integers, and one picture of one width stays one.

    Raises:
        MissingExtraError: tf2onnx is not installed.
    """
    with silent(), _extra("tf2onnx"):
        from tf2onnx import convert

        made, _ = convert.from_tflite(str(model), opset=OPSET)
    return bytes(made.SerializeToString())


def write_core_ml(model: Any, temperature: float, path: Path) -> None:  # noqa: ANN401
    """Writes a float Keras model as an ML program of 32-bit floats, which takes one picture at a time.

    Args:
        model: A float Keras model.
        temperature: What logits are divided by for probabilities.
        path: The package, a directory named `.mlpackage`; is made.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    graph = _frozen(_serving(model, temperature, batch=1))
    _, height, width, channels = model.input_shape
    with silent(), _extra("coremltools"):
        import coremltools as ct

        sides = (1, height, width or ct.RangeDim(*WIDTHS, default=_LAID_OUT), channels)
        made = ct.convert(
            graph,
            source="tensorflow",
            convert_to="mlprogram",
            inputs=[ct.TensorType(PICTURES, shape=sides)],
            outputs=[ct.TensorType(LOGITS), ct.TensorType(PROBABILITIES)],
            minimum_deployment_target=ct.target.iOS15,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,  # only macOS can
        )
        made.save(str(path))


def _frozen(serve: Any) -> Any:  # noqa: ANN401
    """The graph of a function, its variables made constants, so that it has the names of the signature."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,  # TensorFlow shows it nowhere else
    )

    with silent():
        return convert_variables_to_constants_v2(serve.get_concrete_function()).graph.as_graph_def()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keeps back what converters say of versions and progress."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with quiet(), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _extra(library: str) -> Iterator[None]:
    """Says which extra a library comes with, where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or library, _EXTRA) from error
