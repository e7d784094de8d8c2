"""A Core ML package as it was written: read by Core ML on macOS, and elsewhere by ONNX Runtime.

Core ML itself runs on Apple's systems alone. Elsewhere the ML program that the package holds, with its weights, is read
back and computed operator by operator. That shows that the package says what the model says; how Apple's runtime
computes it is not shown by that.

Source: Core ML's MIL operators of iOS 15 (coremltools, `mil.ops.defs.iOS15`), whose pictures lie as those of ONNX do
(n, channels, height, width). Operators that no recogniser has are an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.server.releases.exports.onnx_files import OnnxModel
from handfed.shared.errors import MissingExtraError, ReleaseRefusedError
from handfed.shared.tf.interchange import silent

try:
    with silent():
        import coremltools
        from coremltools.converters.mil.frontend.milproto.load import load
    from onnx import TensorProto, helper, numpy_helper
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "coremltools", "handfed-server[export]") from error

HERE: Final = "Core ML" if sys.platform == "darwin" else "its ML program, by ONNX Runtime: Core ML is on macOS alone"
_OPSET: Final = 17
_IR: Final = 8
_BLOCK: Final = 2  # columns that batch_to_space interleaves
Floats = NDArray[np.float32]


class CoreMl:
    """A package, ready to read pictures.

    Args:
        path: The `.mlpackage`.

    Raises:
        ReleaseRefusedError: It has an operator that is not known here.
    """

    def __init__(self, path: Path) -> None:
        on_mac = sys.platform == "darwin"
        with silent():
            self._model = coremltools.models.MLModel(str(path), skip_model_load=not on_mac)
        self._computed = None if on_mac else OnnxModel(_as_onnx(self._model))

    def __call__(self, pictures: Floats) -> tuple[Floats, Floats]:
        """Logits and probabilities of pictures, one after another as Core ML takes them."""
        found = [self._read(pictures[row : row + 1]) for row in range(len(pictures))]
        return np.concatenate([logits for logits, _ in found]), np.concatenate([each for _, each in found])

    def _read(self, picture: Floats) -> tuple[Floats, Floats]:
        if self._computed is not None:
            return self._computed(picture)
        found = self._model.predict({"pictures": picture})
        return np.asarray(found["logits"], np.float32), np.asarray(found["probabilities"], np.float32)


def _as_onnx(model: Any) -> bytes:  # noqa: ANN401 - coremltools publishes no types
    """The ML program of a package in ONNX's operators."""
    spec = model.get_spec()
    program = load(spec, spec.specificationVersion, model.weights_dir)
    main = program.functions["main"]
    graph = _Graph()
    for operation in main.operations:
        if operation.op_type == "const":
            continue
        if operation.op_type not in _OPERATORS:
            raise ReleaseRefusedError(
                f"the Core ML package has the operator {operation.op_type}, which is not known here"
            )
        _OPERATORS[operation.op_type](graph, operation)
    ends = [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, [1, None, None, None])]
    outputs = [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, None) for each in main.outputs]
    made = helper.make_graph(graph.nodes, "ml-program", ends, outputs, graph.constants)
    opset = [helper.make_opsetid("", _OPSET)]
    return bytes(helper.make_model(made, opset_imports=opset, ir_version=_IR).SerializeToString())


class _Graph:
    """ONNX nodes and constants, as they come."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], operation: Any, **attributes: Any) -> None:  # noqa: ANN401
        """A node with the outputs of an operation."""
        outputs = [output.name for output in operation.outputs]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

    def tensor(self, value: Any) -> str:  # noqa: ANN401
        """The name of an input: of a constant with its value, of anything else as it is."""
        return str(value.name) if value.val is None else self.constant(value.val)

    def constant(self, value: Any) -> str:  # noqa: ANN401
        """The name of a constant."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _integers(operation: Any, name: str) -> list[int]:  # noqa: ANN401
    return [int(each) for each in np.ravel(operation.inputs[name].val)]


def _one(operation: Any, name: str) -> int:  # noqa: ANN401
    return _integers(operation, name)[0]


def _plain(kind: str, *names: str) -> Callable[[_Graph, Any], None]:
    """An operator that ONNX has just so."""

    def add(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
        graph.add(kind, [graph.tensor(operation.inputs[name]) for name in names], operation)

    return add


def _padding(operation: Any) -> dict[str, Any]:  # noqa: ANN401
    """Padding as ONNX has it; that of MIL is by side, low and high."""
    kind = str(operation.inputs["pad_type"].val)
    if kind == "same":
        return {"auto_pad": "SAME_UPPER"}
    pads = _integers(operation, "pad") if kind == "custom" else []
    return {"pads": [*pads[::2], *pads[1::2]]} if pads else {"auto_pad": "VALID"}


def _convolution(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    inputs = [operation.inputs[name] for name in ("x", "weight", "bias") if operation.inputs.get(name) is not None]
    graph.add(
        "Conv",
        [graph.tensor(each) for each in inputs],
        operation,
        strides=_integers(operation, "strides"),
        dilations=_integers(operation, "dilations"),
        group=_one(operation, "groups"),
        **_padding(operation),
    )


def _pool(kind: str) -> Callable[[_Graph, Any], None]:
    def add(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
        sides = {"kernel_shape": _integers(operation, "kernel_sizes"), "strides": _integers(operation, "strides")}
        graph.add(kind, [graph.tensor(operation.inputs["x"])], operation, **sides, **_padding(operation))

    return add


def _product(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    factors = []
    for name in ("x", "y"):
        value, turned = operation.inputs[name], bool(_one(operation, f"transpose_{name}"))
        if turned and value.val is None:
            raise ReleaseRefusedError("the Core ML package transposes what it multiplies, which is not known here")
        factors.append(graph.constant(np.swapaxes(value.val, -1, -2)) if turned else graph.tensor(value))
    graph.add("MatMul", factors, operation)


def _dense(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    """A dense layer; its weights are (outputs, inputs)."""
    weight, bias = operation.inputs["weight"], operation.inputs["bias"]
    product = f"{operation.outputs[0].name}_product"
    factors = [graph.tensor(operation.inputs["x"]), graph.constant(weight.val.T)]
    graph.nodes.append(helper.make_node("MatMul", factors, [product]))
    graph.add("Add", [product, graph.tensor(bias)], operation)


def _transposition(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    graph.add("Transpose", [graph.tensor(operation.inputs["x"])], operation, perm=_integers(operation, "perm"))


def _softmax(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    graph.add("Softmax", [graph.tensor(operation.inputs["x"])], operation, axis=_one(operation, "axis"))


def _reshaping(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    sides = graph.constant(np.array(_integers(operation, "shape"), np.int64))
    graph.add("Reshape", [graph.tensor(operation.inputs["x"]), sides], operation)


def _squeezing(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    axes = graph.constant(np.array(_integers(operation, "axes"), np.int64))
    graph.add("Squeeze", [graph.tensor(operation.inputs["x"]), axes], operation)


def _mean(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    axes, kept = _integers(operation, "axes"), _one(operation, "keep_dims")
    graph.add("ReduceMean", [graph.tensor(operation.inputs["x"])], operation, axes=axes, keepdims=kept)


def _splitting(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    inputs = [graph.tensor(operation.inputs["x"])]
    if operation.inputs.get("split_sizes") is not None:
        inputs.append(graph.constant(np.array(_integers(operation, "split_sizes"), np.int64)))
    graph.add("Split", inputs, operation, axis=_one(operation, "axis"))


def _joining(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    values = [graph.tensor(each) for each in operation.inputs["values"]]
    graph.add("Concat", values, operation, axis=_one(operation, "axis"))


def _slicing(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    begin, end = _integers(operation, "begin"), _integers(operation, "end")
    for place, masked in enumerate(_mask(operation, "begin_mask", len(begin))):
        begin[place] = 0 if masked else begin[place]
    for place, masked in enumerate(_mask(operation, "end_mask", len(end))):
        end[place] = np.iinfo(np.int32).max if masked else end[place]
    stride = [1] * len(begin) if operation.inputs.get("stride") is None else _integers(operation, "stride")
    bounds = (begin, end, list(range(len(begin))), stride)
    constants = [graph.constant(np.array(each, np.int64)) for each in bounds]
    graph.add("Slice", [graph.tensor(operation.inputs["x"]), *constants], operation)


def _mask(operation: Any, name: str, length: int) -> list[bool]:  # noqa: ANN401
    value = operation.inputs.get(name)
    return [False] * length if value is None else [bool(each) for each in np.ravel(value.val)]


def _paddings(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    pads = _integers(operation, "pad")
    both = graph.constant(np.array([*pads[::2], *pads[1::2]], np.int64))
    graph.add("Pad", [graph.tensor(operation.inputs["x"]), both, graph.constant(np.float32(0))], operation)


def _batch_to_space(graph: _Graph, operation: Any) -> None:  # noqa: ANN401
    """Interleaves the two halves of the batch along the columns, of (2, channels, 1, columns)."""
    if _integers(operation, "block_shape") != [1, _BLOCK] or any(_integers(operation, "crops")):
        raise ReleaseRefusedError("the Core ML package interleaves another number of columns than is known here")
    name = operation.outputs[0].name
    last = graph.constant(np.array([-1], np.int64))
    halves = [f"{name}_{place}" for place in range(_BLOCK)]
    graph.nodes.append(helper.make_node("Split", [graph.tensor(operation.inputs["x"])], halves, axis=0))
    for half in halves:
        graph.nodes.append(helper.make_node("Unsqueeze", [half, last], [f"{half}_apart"]))
    beside = [f"{half}_apart" for half in halves]
    graph.nodes.append(helper.make_node("Concat", beside, [f"{name}_pairs"], axis=-1))
    sides = graph.constant(np.array([0, 0, 0, -1], np.int64))
    graph.add("Reshape", [f"{name}_pairs", sides], operation)


_OPERATORS: Final[dict[str, Callable[[_Graph, Any], None]]] = {
    "add": _plain("Add", "x", "y"),
    "avg_pool": _pool("AveragePool"),
    "batch_to_space": _batch_to_space,
    "concat": _joining,
    "conv": _convolution,
    "linear": _dense,
    "matmul": _product,
    "max_pool": _pool("MaxPool"),
    "mul": _plain("Mul", "x", "y"),
    "pad": _paddings,
    "real_div": _plain("Div", "x", "y"),
    "reduce_mean": _mean,
    "relu": _plain("Relu", "x"),
    "reshape": _reshaping,
    "sigmoid": _plain("Sigmoid", "x"),
    "slice_by_index": _slicing,
    "softmax": _softmax,
    "split": _splitting,
    "squeeze": _squeezing,
    "tanh": _plain("Tanh", "x"),
    "transpose": _transposition,
}
