"""The recognisers, one file a family. Each builds a Keras model that ends in logits.

What is known of each family without building it is in `handfed.shared.recognisers`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from handfed.shared.errors import SettingError
from handfed.shared.geometry import SIDE
from handfed.shared.recognisers import family
from handfed.shared.tf.recognisers import bilstm, cnn, crnn, lenet, mobilenet, resnet, tcn

BUILDERS: dict[str, Callable[..., Any]] = {
    "cnn": cnn.build,
    "lenet": lenet.build,
    "resnet": resnet.build,
    "mobilenet": mobilenet.build,
    "bilstm": bilstm.build,
    "crnn": crnn.build,
    "crnn-attention": partial(crnn.build, attention=True),
    "crnn-deep": partial(crnn.build, size=crnn.DEEP, attention=True),
    "tcn": tcn.build,
}


def build(name: str, outputs: int, height: int = SIDE, *, channels: int = 1, pruning: float = 0.0) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds an untrained recogniser.

    Args:
        name: A key of `FAMILIES`.
        outputs: Classes, and of a recogniser of texts the blank.
        height: Of the pictures; single characters are always as high as they are wide.
        channels: Planes of the pictures, the ink's among them; of texts, 1.
        pruning: Fraction of each layer's channels that are left out, 0 to below 1.

    Returns:
        A Keras model of float32 pictures in 0..1, 0 is paper: (batch, 28, 28, channels) to logits (batch, outputs), or
        of texts (batch, height, width, 1) to (batch, 1, steps, outputs).

    Raises:
        SettingError: There is no recogniser of that name, or it cannot be pruned or sees the ink alone.
    """
    known = family(name)
    if pruning and not known.prunable:
        raise SettingError(f"recogniser {name} cannot be pruned; leave pruning out")
    narrower = {"pruning": pruning} if known.prunable else {}
    if not known.columns:
        return BUILDERS[name](outputs, channels=channels, **narrower)
    if channels > 1:
        raise SettingError(f"recogniser {name} sees nothing beside the ink; leave inputs out")
    return BUILDERS[name](outputs, height, **narrower)
