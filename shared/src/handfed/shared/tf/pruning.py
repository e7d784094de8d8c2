"""Structured pruning: whole channels of a trained model are left out, so that arrays and the INT8 file become smaller.

A model is pruned to a narrower one of the same family, whose builder says how many channels each layer keeps
(`blocks.kept`). Which ones: those whose filters have the greatest L1 norm (Li et al. 2017, arXiv:1608.08710, section
3.1), here after batch normalisation has scaled them (by the factor that Liu et al. 2017, arXiv:1708.06519, rank by),
since that is the filter that the INT8 file holds. Channels that are added to one another (section 3.3 of the former)
are kept or left out together, by the sum of their norms, each in multiples of its layer's mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handfed.shared.tf.runtime import keras, tf
from handfed.shared.wire import Arrays, variance

_Rows = NDArray[np.intp]


def prune(wide: Any, narrow: Any, arrays: Arrays) -> dict[str, NDArray[np.float32]]:  # noqa: ANN401 - Keras has no types
    """The arrays of `narrow` that come nearest to a wider model of the same family.

    Args:
        wide: A functional Keras model of convolutions, depthwise ones, batch normalisation, poolings, sums and dense
            layers.
        narrow: The same layers, with as many channels or fewer.
        arrays: The state of `wide`, by names on the wire.

    Returns:
        The state of `narrow`, in the order of `arrays`.
    """
    makers = _makers(wide)
    ranks = _ranks(wide, makers, arrays)
    kept: dict[str, _Rows] = {}
    for name, rank in ranks.items():
        count = int(narrow.get_layer(name).output_shape[-1])
        kept[name] = np.sort(np.argsort(-rank, kind="stable")[:count])
    found = {}
    for name, array in arrays.items():
        layer, kind = name.split("/")
        before = _before(wide.get_layer(layer))[0]
        given = kept[makers[before]] if makers[before] in kept else np.arange(1)  # a picture has one channel
        of = ranks[makers[before]].size if makers[before] in kept else 1
        found[name] = _taken(array, kind, given, of, kept.get(layer))
    return found


def _before(layer: Any) -> list[str]:  # noqa: ANN401
    """The names of the layers whose outputs a layer is given."""
    return [tensor._keras_history.layer.name for tensor in tf.nest.flatten(layer.input)]  # noqa: SLF001 - the graph


def _makers(model: Any) -> dict[str, str]:  # noqa: ANN401
    """Of each layer's output, the layer that made its channels; sums have those of their first summand."""
    makers: dict[str, str] = {}
    for layer in model.layers:
        makes = isinstance(layer, keras.layers.InputLayer | keras.layers.Conv2D | keras.layers.Dense)
        makers[layer.name] = layer.name if makes else makers[_before(layer)[0]]
    return makers


def _ranks(model: Any, makers: dict[str, str], arrays: Arrays) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """How much each channel matters, float64 (channels,), of each layer that makes some."""
    ranks = {name: _norms(arrays[f"{name}/kernel"]) for name in set(makers.values()) if f"{name}/kernel" in arrays}
    groups = {name: {name} for name in ranks}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and _before(layer)[0] in ranks:
            ranks[_before(layer)[0]] *= _scale(layer, arrays)
        if isinstance(layer, keras.layers.Add):
            together = set().union(*(groups[makers[name]] for name in _before(layer)))
            groups |= dict.fromkeys(together, together)
    relative = {name: rank / rank.mean() for name, rank in ranks.items()}
    return {name: np.sum([relative[other] for other in sorted(groups[name])], axis=0) for name in ranks}


def _norms(kernel: NDArray[np.float32]) -> NDArray[np.float64]:
    """The L1 norm of each filter."""
    return np.abs(kernel, dtype=np.float64).reshape(-1, kernel.shape[-1]).sum(axis=0)


def _scale(norm: Any, arrays: Arrays) -> NDArray[np.float64]:  # noqa: ANN401
    """What a batch normalisation multiplies each channel with, without its sign."""
    gamma, mean, second = (arrays[f"{norm.name}/{kind}"] for kind in ("gamma", "mean", "second_moment"))
    return np.abs(gamma, dtype=np.float64) / np.sqrt(variance(mean, second) + norm.epsilon)


def _taken(array: NDArray[np.float32], kind: str, given: _Rows, of: int, made: _Rows | None) -> NDArray[np.float32]:
    """What is left of an array.

    Args:
        array: An array of a layer.
        kind: What it is within its layer.
        given: Which of the channels that the layer is given are kept.
        of: How many it was given.
        made: Which of those that it makes are kept; None where it makes none.
    """
    if made is None:  # a channel of its own for each one that it is given
        return array[:, :, given] if kind == "depthwise_kernel" else array[given]
    if kind == "bias":
        return array[made]
    if array.ndim == 2:  # noqa: PLR2004 - of a dense layer: of flattened pictures, channel after channel of each pixel
        rows = (np.arange(0, len(array), of)[:, None] + given).ravel()
        return array[np.ix_(rows, made)]
    return array[:, :, given][..., made]
