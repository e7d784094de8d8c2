"""The recognisers, one file a family. Each builds a Keras model that ends in logits.

What is known of each family without building it is in `handfed.shared.recognisers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handfed.shared.errors import SettingError
from handfed.shared.tf.recognisers import cnn, lenet, mobilenet, resnet

BUILDERS: dict[str, Callable[[int], Any]] = {
    "cnn": cnn.build,
    "lenet": lenet.build,
    "resnet": resnet.build,
    "mobilenet": mobilenet.build,
}


def build(name: str, classes: int) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds an untrained recogniser.

    Args:
        name: A key of `BUILDERS`.
        classes: How many classes it tells apart.

    Returns:
        A Keras model, float32 (batch, 28, 28, 1) in 0..1 to logits float32 (batch, classes).

    Raises:
        SettingError: There is no recogniser of that name.
    """
    if name not in BUILDERS:
        raise SettingError(f"there is no recogniser {name!r}; choose one of: {', '.join(sorted(BUILDERS))}")
    return BUILDERS[name](classes)
