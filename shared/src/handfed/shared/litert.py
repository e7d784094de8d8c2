"""Runs a published model: a LiteRT file whose input, output and every operator are 8-bit integers.

The same class serves the edge, the devices that judge a candidate, and the server that checks what it converted. Input
and output are int8; of the twin for browsers they are uint8, 128 more, and all between them is the same.

Rules:
1. What is no such model is refused when it is loaded. LiteRT verifies the structure of a file but not all it refers to:
   a damaged file can, seldom, still crash it. So a release's SHA-256 is checked before its model comes here.
2. Grey levels become integers as in LiteRT's reference kernel, so that a reading does not hang on the processor.
3. A model is laid out anew only when the size of the batch changes.

Source: LiteRT 8-bit quantization specification: real = scale * (integer - zero_point).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import ManifestError, MissingExtraError
from handfed.shared.geometry import SIDE
from handfed.shared.images import with_channels
from handfed.shared.quiet import quiet

_BATCH: Final = 256
_BROKEN: Final = (ValueError, RuntimeError, MemoryError)  # what LiteRT raises on a file it cannot run


class Int8Model:
    """A loaded model, for one thread at a time.

    Attributes:
        outputs: How many logits a picture has, or a step of a text: the classes, and of texts the blank.
        height: Of the pictures it takes.
        channels: Planes of the pictures, the ink's among them.
        reads_texts: Whether it reads words and lines, of any width, and not single characters.
        output_step: What one step of an output integer is worth, in logits.
        quantization: Scale and zero point of the input, and of the output.
        content: The file.
        size_bytes: Its size.

    Args:
        content: The `.tflite` file, or its path.
        threads: Threads an inference may use.
        where: What is loaded, for the message of an error.

    Raises:
        ManifestError: It is no LiteRT file, or not int8 (1, 28, 28, channels) to int8 (1, classes), nor of texts
            int8 (1, height, width, 1) to int8 (1, 1, steps, classes + 1), nor uint8 of both.
        MissingExtraError: LiteRT is not installed.
    """

    def __init__(self, content: bytes | Path, *, threads: int = 1, where: str = "model") -> None:
        data = _read(content, where) if isinstance(content, Path) else content
        self._where = where
        self._interpreter = _interpreter(data, threads, where)
        source, target = _ends(self._interpreter, where)
        self._input, self._output = int(source["index"]), int(target["index"])
        self._table = _quantization_table(source["dtype"], *source["quantization"])
        self.quantization = _scale_and_zero(source), _scale_and_zero(target)
        self.output_step, self._output_zero = self.quantization[1]
        self.reads_texts = len(target["shape"]) > 2  # noqa: PLR2004 - a picture, its logits
        self.outputs = int(target["shape"][-1])
        self.height, self.channels = int(source["shape"][1]), int(source["shape"][3])
        self.content, self.size_bytes = data, len(data)
        self._laid_out = (1, int(source["shape"][2]))

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits of normalised pictures.

        Args:
            pictures: uint8 (n, 28, 28, channels), or of texts (n, height, width, 1); 0 is paper and 255 is ink. Where
                there is one channel, its axis may be left out.

        Returns:
            float32 (n, classes), or of texts (n, steps, classes + 1).

        Raises:
            ManifestError: The model breaks as it runs.
        """
        found: list[NDArray[Any]] = []
        try:
            pictures = with_channels(pictures)
            for start in range(0, max(len(pictures), 1), _BATCH):
                part = self._table[pictures[start : start + _BATCH]]
                found.append(self._run(part))
        except _BROKEN as error:
            raise ManifestError(f"{self._where}: LiteRT cannot run this model; pull the release again") from error
        result = np.concatenate(found).astype(np.float32)
        return np.float32(self.output_step) * (result - self._output_zero)

    def _run(self, part: NDArray[Any]) -> NDArray[Any]:
        """Logits of a batch, as the model gives them."""
        if not len(part):
            return np.zeros((0, *((0,) if self.reads_texts else ()), self.outputs), part.dtype)
        self._lay_out(len(part), part.shape[2])
        self._interpreter.set_tensor(self._input, part)
        self._interpreter.invoke()
        logits = np.asarray(self._interpreter.get_tensor(self._output), part.dtype)
        wanted = (len(part), 1, logits.shape[-2], self.outputs) if self.reads_texts else (len(part), self.outputs)
        if logits.shape != wanted:
            raise ValueError(f"{len(part)} images gave logits of shape {logits.shape}")
        return logits[:, 0] if self.reads_texts else logits

    def operators_with_floats(self) -> list[str]:
        """Names of operators that read or write a floating-point tensor; empty for an all-integer graph.

        Raises:
            ManifestError: LiteRT cannot list the model's operators.
        """
        try:
            tensors = self._interpreter.get_tensor_details()
            operators = self._interpreter._get_ops_details()  # noqa: SLF001 - LiteRT shows its graph nowhere else
        except _BROKEN as error:
            raise ManifestError(f"{self._where}: LiteRT cannot list its operators; publish the model anew") from error
        floats = {tensor["index"] for tensor in tensors if np.issubdtype(tensor["dtype"], np.floating)}
        return [
            operator["op_name"]
            for operator in operators
            if floats & {int(index) for index in (*operator["inputs"], *operator["outputs"])}
        ]

    def _lay_out(self, batch: int, width: int) -> None:
        if (batch, width) != self._laid_out:
            self._laid_out = (0, 0)  # of no known size, should the next line fail
            self._interpreter.resize_tensor_input(self._input, [batch, self.height, width, self.channels])
            self._interpreter.allocate_tensors()
            self._laid_out = (batch, width)


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{where}: cannot be read ({error.strerror}); name a .tflite file") from error


def _interpreter(data: bytes, threads: int, where: str) -> Any:  # noqa: ANN401 - LiteRT publishes no types
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        raise MissingExtraError("LiteRT", "handfed-clients[edge]") from error
    failure: Exception | None = None
    with quiet():  # LiteRT announces its delegate; what is wrong with a file is in the exception too
        try:
            interpreter = Interpreter(model_content=data, num_threads=threads)
            interpreter.allocate_tensors()
        except _BROKEN as error:
            failure = error
    if failure is not None:
        raise ManifestError(f"{where}: this is no LiteRT model that can be loaded; pull the release again") from failure
    return interpreter


def _ends(interpreter: Any, where: str) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401
    """Input and output of a model, both checked to be int8, or uint8, of our shape, and with one scale."""
    try:
        sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
    except _BROKEN as error:
        raise ManifestError(f"{where}: its input and output have no names; pull the release again") from error
    of_characters = (1, SIDE, SIDE, 0), (1, None)
    of_texts = (1, None, None, 1), (1, 1, None, None)
    for shapes in (of_characters, of_texts):
        if (
            all(len(ends) == 1 and _is(ends[0], shape) for ends, shape in zip((sources, targets), shapes, strict=True))
            and sources[0]["dtype"] is targets[0]["dtype"]
        ):
            return sources[0], targets[0]
    found = " to ".join(
        ", ".join(f"{end['dtype'].__name__} {tuple(map(int, end['shape']))}" for end in ends) or "nothing"
        for ends in (sources, targets)
    )
    raise ManifestError(
        f"{where}: it is {found}, and not int8 (1, {SIDE}, {SIDE}, channels) to int8 (1, classes), nor int8 (1, height,"
        " width, 1) to int8 (1, 1, steps, classes) of texts; name a model that Handfed published"
    )


def _scale_and_zero(end: dict[str, Any]) -> tuple[float, int]:
    scale, zero_point = end["quantization"]
    return float(scale), int(zero_point)


def _is(end: dict[str, Any], shape: tuple[int | None, ...]) -> bool:
    """Whether an end is of 8 bits and of that shape; of None more than 1, of 0 any number."""
    sides = tuple(map(int, end["shape"]))
    scale = float(end["quantization"][0])
    return (
        end["dtype"] in {np.int8, np.uint8}
        and len(sides) == len(shape)
        and all(
            side > 1 if wanted is None else side == (wanted or side) for side, wanted in zip(sides, shape, strict=True)
        )
        and np.isfinite(scale)
        and scale > 0
    )


def _quantization_table(kind: type[np.integer[Any]], scale: float, zero_point: int) -> NDArray[Any]:
    """int8 or uint8 (256,): the input integer of each grey level.

    In float32, and a half is rounded up, as LiteRT's reference kernel of QUANTIZE does. Its fast kernels round some
    halves down; at the scale 1/255 of the images' whole range there are no halves, and the table is level - 128.
    """
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    steps = np.floor((levels / np.float32(scale)).astype(np.float64) + 0.5)
    table: NDArray[Any] = np.clip(steps + zero_point, np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)
    return table


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities a class, float32 (n, classes)."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)
