"""A mobile network: inverted residuals, whose convolutions look at each channel for itself, and a narrow last layer.

Source: Howard et al. 2019 (MobileNetV3, arXiv:1905.02244) as far as quantization permits: its inverted residuals and
its cheap last stage (section 5.1) are those of the paper; squeeze-and-excite and hard-swish are left out, since both
multiply two activations, which tfmot refuses. Few parameters a class: the choice for alphabets of thousands.
"""

from __future__ import annotations

from typing import Any

from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.runtime import keras

STEM = 16
STAGES = ((3, 24, 2), (3, 24, 1), (4, 40, 2), (4, 40, 1), (4, 40, 1))  # (expansion, filters, stride)
LAST = 128


def build(classes: int, *, channels: int = 1, pruning: float = 0.0) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`."""
    picture = blocks.picture(channels)
    x = blocks.convolution(picture, blocks.kept(STEM, pruning), 3, "0")
    for number, (expansion, filters, stride) in enumerate(STAGES, start=1):
        x = _inverted_residual(x, expansion, blocks.kept(filters, pruning), str(number), stride=stride)
    x = blocks.convolution(x, blocks.kept(LAST, pruning), 1, "last")  # (batch, 7, 7, 128)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(picture, keras.layers.Dense(classes, name="logits")(x), name="mobilenet")


def _inverted_residual(x: Any, expansion: int, filters: int, name: str, *, stride: int) -> Any:  # noqa: ANN401
    """Wide in the middle, narrow at the ends, and added to what it was given where the shape stays."""
    wide = blocks.convolution(x, int(x.shape[-1]) * expansion, 1, f"{name}a")
    wide = blocks.depthwise(wide, 3, f"{name}b", stride=stride)
    narrow = blocks.convolution(wide, filters, 1, f"{name}c", relu=False)
    return keras.layers.Add(name=f"sum{name}")([x, narrow]) if x.shape[-1] == filters and stride == 1 else narrow
