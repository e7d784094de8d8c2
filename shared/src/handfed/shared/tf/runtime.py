"""TensorFlow, imported once and quietly, and set up so that a seed gives the same weights every time."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Final

from handfed.shared.errors import MissingExtraError
from handfed.shared.quiet import quiet

# Keras imports them where they happen to be installed, for what is not used here. That takes every process that trains
# a second more to start, and 140 MB.
_UNUSED: Final = ("matplotlib", "pandas", "sklearn")


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Has imports of some modules fail within the block, as if they were not installed; what is imported already stays.

    Args:
        names: Modules of the top level.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None has an import fail, as Python documents
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # Devices and server have no GPU to look for.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# By itself, TensorFlow uses oneDNN only where the processor multiplies bytes (AVX-512 VNNI); others gain more by it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
try:
    with quiet(), without(*_UNUSED), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf
        import tensorflow_model_optimization as tfmot
        import tf_keras as keras
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "tensorflow", "handfed-shared[train]") from error

__all__ = ["computing_in_bfloat16", "configure", "keras", "quiet", "tf", "tfmot", "without"]


@contextlib.contextmanager
def computing_in_bfloat16() -> Iterator[None]:
    """Layers that are made within compute in bfloat16, and keep their variables in float32.

    Source: Micikevicius et al. 2018 (arXiv:1710.03740); bfloat16 has the exponents of float32, so that no loss needs to
    be scaled (Kalamkar et al. 2019, arXiv:1905.12322).
    """
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def configure(threads: int) -> None:
    """Sets threads and determinism; call it before the first operation, later calls change nothing.

    Args:
        threads: Threads within one operation; 0 lets TensorFlow use every core. The same number gives the same sums.
    """
    with contextlib.suppress(RuntimeError):  # raised once TensorFlow has started
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
