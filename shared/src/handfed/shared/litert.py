"""Runs a published model: a LiteRT file whose input, output and every operator are 8-bit integers.

The same class serves the edge, the devices that judge a candidate, and the server that checks what it converted.
Source: LiteRT 8-bit quantization specification: real = scale * (integer - zero_point).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import ManifestError, MissingExtraError

_BATCH = 256


class Int8Model:
    """A loaded model, for one thread at a time.

    Attributes:
        classes: How many outputs it has.
        output_step: What one step of an output integer is worth, in logits.

    Args:
        content: The `.tflite` file, or its path.
        threads: Threads an inference may use.
        where: What is loaded, for the message of an error.

    Raises:
        ManifestError: It is no LiteRT file, or not int8 (1, 28, 28, 1) to int8 (1, classes).
        MissingExtraError: LiteRT is not installed.
    """

    def __init__(self, content: bytes | Path, *, threads: int = 1, where: str = "model") -> None:
        self._interpreter = _interpreter(content, threads, where)
        source, target = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        if source["dtype"] is not np.int8 or target["dtype"] is not np.int8 or len(source["shape"]) != 4:  # noqa: PLR2004
            raise ManifestError(f"{where}: input and output must be int8 images and logits; publish the model anew")
        self._input, self._output = source["index"], target["index"]
        self.output_step, self._output_zero = (
            float(target["quantization"][0]),
            int(target["quantization"][1]),
        )
        self._table = _quantization_table(*source["quantization"])
        self.input_shape: tuple[int, ...] = tuple(int(side) for side in source["shape"][1:3])
        self.classes = int(target["shape"][-1])
        self._batch = 1

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of normalised images.

        Args:
            images: uint8 (n, 28, 28), 0 is paper and 255 is ink.

        Returns:
            float32 (n, classes).
        """
        result = np.empty((len(images), self.classes), np.int8)
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            self._resize(len(part))
            self._interpreter.set_tensor(self._input, self._table[part][..., None])
            self._interpreter.invoke()
            result[start : start + len(part)] = self._interpreter.get_tensor(self._output)
        return np.float32(self.output_step) * (result.astype(np.float32) - self._output_zero)

    def operators_with_floats(self) -> list[str]:
        """Names of operators that read or write a floating-point tensor; empty for an all-integer graph."""
        floats = {
            tensor["index"]
            for tensor in self._interpreter.get_tensor_details()
            if np.issubdtype(tensor["dtype"], np.floating)
        }
        return [
            operator["op_name"]
            for operator in self._interpreter._get_ops_details()  # noqa: SLF001 - LiteRT shows its graph nowhere else
            if floats & {int(index) for index in (*operator["inputs"], *operator["outputs"])}
        ]

    def _resize(self, batch: int) -> None:
        if batch != self._batch:
            self._interpreter.resize_tensor_input(self._input, [batch, *self.input_shape, 1])
            self._interpreter.allocate_tensors()
            self._batch = batch


def _interpreter(content: bytes | Path, threads: int, where: str) -> Any:  # noqa: ANN401 - LiteRT publishes no types
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        raise MissingExtraError("LiteRT", "handfed-clients[edge]") from error
    try:
        data = content.read_bytes() if isinstance(content, Path) else content
        interpreter = Interpreter(model_content=data, num_threads=threads)
        interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        raise ManifestError(f"{where}: this is no LiteRT model that can be loaded; pull the release again") from error
    return interpreter


def _quantization_table(scale: float, zero_point: int) -> NDArray[np.int8]:
    """int8 (256,): the input integer of each grey level, rounded half to even as LiteRT's own quantize operator."""
    levels = np.arange(256, dtype=np.float64) / 255.0
    table: NDArray[np.int8] = np.clip(np.rint(levels / scale) + zero_point, -128, 127).astype(np.int8)
    return table


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities a class, float32 (n, classes)."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)
