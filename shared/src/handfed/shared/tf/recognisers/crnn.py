"""Texts by convolutions and then LSTMs both ways, and CTC.

Source: CRNN of Shi et al. 2017 (arXiv:1507.05717), small, or about as deep as there. Its LSTMs read windows (see
`recurrent`), so it takes pictures of any width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.recognisers.recurrent import LSTM, WindowAttention
from handfed.shared.tf.runtime import keras

STAGES: Final = ((16, (2, 2)), (32, (2, 2)), (64, (2, 1)))  # (filters, height and width of the pooling after the stage)
WINDOW: Final = 8  # steps, of four columns each
PASSES: Final = 2


@dataclass(frozen=True)
class Size:
    """How large a crnn is.

    Attributes:
        convolutions: Of each stage.
        features: That the LSTMs are shown of a step.
        units: Of the LSTM of each way.
    """

    convolutions: tuple[int, int, int] = (1, 1, 1)
    features: int = 128
    units: int = 96


SMALL: Final = Size()
DEEP: Final = Size(convolutions=(1, 2, 3), features=192, units=128)


def build(
    outputs: int,
    height: int,
    *,
    size: Size = SMALL,
    window: int = WINDOW,
    passes: int = PASSES,
    attention: bool = False,
) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`.

    Args:
        outputs: Classes, and the blank.
        height: Of the pictures.
        size: How large it is.
        window: Steps that an LSTM reads in one go.
        passes: How often it reads them, each time from where the window before has ended.
        attention: Whether each step also sees the weighted mean of its window.
    """
    x = picture = blocks.strip(height)
    for number, (convolutions, (filters, pooling)) in enumerate(zip(size.convolutions, STAGES, strict=True), start=1):
        for again in ("", "b", "c")[:convolutions]:
            x = blocks.convolution(x, filters, 3, f"{number}{again}")
        x = keras.layers.MaxPooling2D(pooling, name=f"pool{number}")(x)
    rows = int(x.shape[1])
    x = blocks.convolution(x, size.features, (rows, 3), "rows", stride=(rows, 1))  # (batch, 1, steps, features)
    gates = blocks.convolution(x, 2 * 4 * size.units, 1, "gates", relu=False)
    x = LSTM(size.units, window=window, passes=passes, name="lstm")(gates)
    if attention:
        scores = keras.layers.Conv2D(1, 1, name="scores")(x)
        x = WindowAttention(window, name="attention")([scores, x])
    return keras.Model(picture, keras.layers.Conv2D(outputs, 1, name="logits")(x), name="crnn")
