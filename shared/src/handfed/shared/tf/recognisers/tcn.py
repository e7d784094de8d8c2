"""Texts by convolution alone: features of the strokes, then temporal blocks that look left and right, then CTC.

Source: temporal convolutions of Bai et al. 2018 (arXiv:1803.01271), here looking both ways and a channel at a time (as
in MobileNets, Howard et al. 2017, arXiv:1704.04861), on a small VGG; all-convolutional line recognition: Easter2
(Chaudhary and Bali 2022, arXiv:2205.14879). It takes pictures of any width, and nothing in it remembers one picture in
the next.
"""

from __future__ import annotations

from typing import Any

from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.runtime import keras

STAGES = ((16, (2, 2)), (32, (2, 2)), (64, (2, 1)))  # (filters, height and width of the pooling after the stage)
FEATURES = 192
BLOCKS = 6
REACH = 9  # steps that a temporal block looks at


def build(outputs: int, height: int, *, pruning: float = 0.0) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`."""
    x = picture = blocks.strip(height)
    for number, (filters, pooling) in enumerate(STAGES, start=1):
        x = blocks.convolution(x, blocks.kept(filters, pruning), 3, str(number))
        x = keras.layers.MaxPooling2D(pooling, name=f"pool{number}")(x)
    rows, features = int(x.shape[1]), blocks.kept(FEATURES, pruning)
    x = blocks.convolution(x, features, (rows, 3), "rows", stride=(rows, 1))  # (batch, 1, steps, features)
    for number in range(1, BLOCKS + 1):
        branch = blocks.depthwise(x, (1, REACH), f"{number}time")
        branch = blocks.convolution(branch, features, 1, f"{number}mix", relu=False)
        x = keras.layers.ReLU(name=f"relu{number}sum")(keras.layers.Add(name=f"sum{number}")([x, branch]))
    # A convolution and not a dense layer, so that the published file takes any width.
    return keras.Model(picture, keras.layers.Conv2D(outputs, 1, name="logits")(x), name="tcn")
