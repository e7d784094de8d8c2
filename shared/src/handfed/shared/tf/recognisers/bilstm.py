"""Characters read in sequence, by LSTMs both ways: their rows, their columns, or a checkerboard of patches.

Source: two-way LSTMs of Graves and Schmidhuber 2005 (doi:10.1016/j.neunet.2005.06.042), with attention over the steps
and a gated sum of the readings, each of which is in `recurrent`.
"""

from __future__ import annotations

from typing import Any, Final

from handfed.shared.geometry import SIDE
from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.recognisers.recurrent import LSTM, Attention, GatedSum
from handfed.shared.tf.runtime import keras

UNITS: Final = 64  # of each way
READINGS: Final = {  # a step's height and width, and how far the next one lies down or to the right
    "rows": ((4, SIDE), (2, SIDE)),
    "columns": ((SIDE, 4), (SIDE, 2)),
    "patches": ((4, 4), (4, 4)),
}


def build(
    classes: int,
    *,
    channels: int = 1,
    readings: tuple[str, ...] = ("rows", "columns"),
    ways: int = 2,
    attention: bool = True,
) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`.

    Args:
        classes: How many it tells apart.
        channels: Planes of a picture.
        readings: Keys of `READINGS`.
        ways: 1 for LSTMs that read onwards alone, or 2.
        attention: Whether steps are weighted, or all weigh the same.
    """
    picture = blocks.picture(channels)
    found = [_reading(picture, name, ways, attention=attention) for name in readings]
    x = found[0]  # (batch, ways * UNITS)
    if len(found) > 1:
        together = keras.layers.Concatenate(name="together")(found)
        gates = keras.layers.Dense(together.shape[-1], name="gates")(together)
        x = GatedSum(name="sum")([gates, *found])
    return keras.Model(picture, keras.layers.Dense(classes, name="logits")(x), name="bilstm")


def _reading(picture: Any, name: str, ways: int, *, attention: bool) -> Any:  # noqa: ANN401
    """What one reading makes of a picture, (batch, ways * UNITS)."""
    side, stride = READINGS[name]
    gates = blocks.convolution(picture, ways * 4 * UNITS, side, name, stride=stride, relu=False)
    outputs = LSTM(UNITS, ways=ways, name=f"lstm{name}")(gates)  # (batch, 1, steps, ways * UNITS)
    if attention:
        scores = keras.layers.Conv2D(1, 1, name=f"scores{name}")(outputs)
        return Attention(name=f"attention{name}")([scores, outputs])
    mean = keras.layers.AveragePooling2D((1, outputs.shape[2]), name=f"mean{name}")(outputs)
    return keras.layers.Flatten(name=f"flatten{name}")(mean)
