"""ONNX: the signature of all exports put around a converted LiteRT file, names for sizes that may be any, and reading.

A LiteRT file takes int8 pictures, gives int8 logits, and was laid out for one picture of one width. As ONNX it gets a
quantization before and a dequantization and softmax behind it; all between them stays in the release's own integers.

Source: ONNX operators QuantizeLinear and DequantizeLinear: real = scale * (integer - zero_point), as LiteRT's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import MissingExtraError

try:
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "onnx", "handfed-server[export]") from error

_OUTPUTS: Final = ("logits", "probabilities")
_ERRORS_ALONE: Final = 3
_FLOAT: Final = onnx.TensorProto.FLOAT
Floats = NDArray[np.float32]
Quantization = tuple[float, int]  # scale and zero point


class OnnxModel:
    """An ONNX file in ONNX Runtime, on one thread.

    Args:
        content: The file.
        outputs: Names of what it gives.
    """

    def __init__(self, content: bytes, outputs: Sequence[str] = _OUTPUTS) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _ERRORS_ALONE
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._outputs = list(outputs)

    def __call__(self, pictures: Floats) -> tuple[Floats, Floats]:
        """Logits and probabilities of pictures."""
        logits, probabilities = self._session.run(self._outputs, {"pictures": pictures})
        return np.asarray(logits, np.float32), np.asarray(probabilities, np.float32)


def with_named_sizes(content: bytes, *, of_texts: bool) -> bytes:
    """Gives the sizes that may be any of a float model their names.

    Args:
        content: What tf2onnx made.
        of_texts: Whether the width and the number of steps are among them.
    """
    model = onnx.load_from_string(content)
    for end in (*model.graph.input, *model.graph.output):
        _name_sizes(end, of_texts=of_texts)
    return _checked(model)


def with_signature(
    content: bytes, source: Quantization, target: Quantization, temperature: float, *, of_texts: bool
) -> bytes:
    """Puts the signature around a converted LiteRT file.

    Args:
        content: What tf2onnx made of the file.
        source: Of its pictures.
        target: Of its logits.
        temperature: What logits are divided by for probabilities.
        of_texts: Whether it reads texts.
    """
    model = onnx.load_from_string(content)
    graph = model.graph
    (picture,), (found,) = graph.input, graph.output
    _lay_out_for_any_size(graph, picture.name)
    numbers = {
        "pictures_scale": np.float32(source[0]),
        "pictures_zero": np.int8(source[1]),
        "logits_scale": np.float32(target[0]),
        "logits_zero": np.int8(target[1]),
        "temperature": np.float32(temperature),
        "text_axis": np.array([1], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items())
    before = helper.make_node("QuantizeLinear", ["pictures", "pictures_scale", "pictures_zero"], [picture.name])
    real = "logits_of_row" if of_texts else "logits"
    behind = [helper.make_node("DequantizeLinear", [found.name, "logits_scale", "logits_zero"], [real])]
    if of_texts:
        behind.append(helper.make_node("Squeeze", [real, "text_axis"], ["logits"]))
    behind.append(helper.make_node("Div", ["logits", "temperature"], ["cooled"]))
    behind.append(helper.make_node("Softmax", ["cooled"], ["probabilities"], axis=-1))
    nodes = [before, *graph.node, *behind]
    sides, classes = _sides(picture), _sides(found)[-1]
    sizes = [None, None, classes] if of_texts else [None, classes]
    ends = {name: helper.make_tensor_value_info(name, _FLOAT, sizes) for name in _OUTPUTS}
    ends["pictures"] = helper.make_tensor_value_info("pictures", _FLOAT, sides)
    for end in ends.values():
        _name_sizes(end, of_texts=of_texts)
    for field in ("node", "input", "output", "value_info"):
        graph.ClearField(field)
    graph.node.extend(nodes)
    graph.input.append(ends.pop("pictures"))
    graph.output.extend(ends.values())
    return _checked(model)


def _lay_out_for_any_size(graph: onnx.GraphProto, picture: str) -> None:
    """Moves a picture's one channel to the front whatever its size.

    tf2onnx turns that transposition into a reshaping to the sizes that the file was laid out for.
    """
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[0] == picture:
            moved = helper.make_node("Transpose", [picture], list(node.output), name=node.name, perm=[0, 3, 1, 2])
            node.CopyFrom(moved)


def _name_sizes(end: onnx.ValueInfoProto, *, of_texts: bool) -> None:
    """Names the sizes that may be any, of pictures (n, height, width, channels) or of what is found in them."""
    sides = end.type.tensor_type.shape.dim
    sides[0].dim_param = "n"
    if of_texts and end.name == "pictures":
        sides[2].dim_param = "width"
    elif of_texts:
        sides[1].dim_param = "steps"


def _sides(end: onnx.ValueInfoProto) -> list[int]:
    return [int(side.dim_value) for side in end.type.tensor_type.shape.dim]


def _checked(model: Any) -> bytes:  # noqa: ANN401 - a message of protobuf
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def read_onnx(path: Path) -> OnnxModel:
    """An exported file, ready to read pictures."""
    return OnnxModel(path.read_bytes())
