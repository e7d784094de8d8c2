"""Texts by convolutions and then LSTMs both ways, and CTC.

Source: CRNN of Shi et al. 2017 (arXiv:1507.05717), small. Its LSTMs read windows (see `recurrent`), so it takes
pictures of any width.
"""

from __future__ import annotations

from typing import Any

from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.recognisers.recurrent import LSTM, WindowAttention
from handfed.shared.tf.runtime import keras

STAGES = ((16, (2, 2)), (32, (2, 2)), (64, (2, 1)))  # (filters, height and width of the pooling after the stage)
FEATURES = 128
UNITS = 96  # of each way
WINDOW = 8  # steps, of four columns each
PASSES = 2


def build(outputs: int, height: int, *, window: int = WINDOW, passes: int = PASSES, attention: bool = False) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`.

    Args:
        outputs: Classes, and the blank.
        height: Of the pictures.
        window: Steps that an LSTM reads in one go.
        passes: How often it reads them, each time from where the window before has ended.
        attention: Whether each step also sees the weighted mean of its window.
    """
    x = picture = blocks.strip(height)
    for number, (filters, pooling) in enumerate(STAGES, start=1):
        x = blocks.convolution(x, filters, 3, str(number))
        x = keras.layers.MaxPooling2D(pooling, name=f"pool{number}")(x)
    rows = int(x.shape[1])
    x = blocks.convolution(x, FEATURES, (rows, 3), "rows", stride=(rows, 1))  # (batch, 1, steps, features)
    gates = blocks.convolution(x, 2 * 4 * UNITS, 1, "gates", relu=False)
    x = LSTM(UNITS, window=window, passes=passes, name="lstm")(gates)
    if attention:
        scores = keras.layers.Conv2D(1, 1, name="scores")(x)
        x = WindowAttention(window, name="attention")([scores, x])
    return keras.Model(picture, keras.layers.Conv2D(outputs, 1, name="logits")(x), name="crnn")
