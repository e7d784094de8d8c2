"""The twin of a model for browsers, made of the model's own file: input and output are uint8 and not int8.

LiteRT.js takes no int8. So an operator QUANTIZE is put before the graph and one behind it, which move integers by 128
and nothing else; weights, scales and all other operators are the file's own. The twin therefore reads bit by bit as the
model does, and whoever has checked the model (its SHA-256 is in the signed manifest) needs to check no second file.

No TensorFlow is needed. Source: the schema of LiteRT's flatbuffers, `tflite/schema/schema.fbs`, in its object API.
"""

from __future__ import annotations

import copy
import struct
from typing import Any, Final

import numpy as np

from handfed.shared.errors import ManifestError, MissingExtraError

_MOVED: Final = 128  # from int8 to uint8
_IDENTIFIER: Final = b"TFL3"
_BROKEN: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)  # of a damaged file


def browser_twin(model: bytes, *, where: str = "model") -> bytes:
    """Makes the twin; the same file gives the same twin.

    Args:
        model: A `.tflite` file with one int8 input and one int8 output, both with one scale.
        where: What it is, for the message of an error.

    Returns:
        A `.tflite` file with uint8 in their place, each 128 more.

    Raises:
        ManifestError: It is no such file.
        MissingExtraError: LiteRT is not installed.
    """
    try:
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema
    except ModuleNotFoundError as error:
        raise MissingExtraError("LiteRT", "handfed-clients[edge]") from error
    if model[4:8] != _IDENTIFIER:
        raise ManifestError(f"{where}: this is no LiteRT file; pull the release again")
    try:
        whole = schema.ModelT.InitFromPackedBuf(model)
        _move_ends(whole, schema, where)
        builder = flatbuffers.Builder(len(model))
        builder.Finish(whole.Pack(builder), file_identifier=_IDENTIFIER)
    except _BROKEN as error:
        raise ManifestError(f"{where}: its graph cannot be read; pull the release again") from error
    return bytes(builder.Output())


def _move_ends(whole: Any, schema: Any, where: str) -> None:  # noqa: ANN401 - the schema publishes no types
    """Puts an operator at each end of the graph."""
    graph = whole.subgraphs[0]  # by the schema the one that is entered
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ManifestError(f"{where}: it has more than one input or output; name a model that Handfed published")
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2  # the first that takes integers
    whole.operatorCodes.append(code)
    position = len(whole.operatorCodes) - 1
    inner_in, inner_out = int(graph.inputs[0]), int(graph.outputs[0])
    outer_in, outer_out = (_add_moved(graph, index, schema, where) for index in (inner_in, inner_out))
    graph.operators.insert(0, _quantize(schema, position, outer_in, inner_in))
    graph.operators.append(_quantize(schema, position, inner_out, outer_out))
    graph.inputs, graph.outputs = np.array([outer_in], np.int32), np.array([outer_out], np.int32)
    for signature in whole.signatureDefs or ():
        for named, inner, outer in ((signature.inputs, inner_in, outer_in), (signature.outputs, inner_out, outer_out)):
            for each in named:
                each.tensorIndex = outer if each.tensorIndex == inner else each.tensorIndex


def _add_moved(graph: Any, index: int, schema: Any, where: str) -> int:  # noqa: ANN401
    """Adds an unsigned tensor beside a signed one of the graph; gives its number."""
    signed = graph.tensors[index]
    if signed.type != schema.TensorType.INT8 or len(signed.quantization.scale) != 1:
        raise ManifestError(
            f"{where}: its input and output are not int8 with one scale; name a model that Handfed published"
        )
    unsigned = copy.deepcopy(signed)
    unsigned.type = schema.TensorType.UINT8
    unsigned.buffer = 0  # by the schema the empty one
    unsigned.name = signed.name + b"/unsigned"
    unsigned.quantization.zeroPoint = signed.quantization.zeroPoint + _MOVED
    graph.tensors.append(unsigned)
    return len(graph.tensors) - 1


def _quantize(schema: Any, code: int, source: int, target: int) -> Any:  # noqa: ANN401
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = np.array([source], np.int32), np.array([target], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator
