"""Losses over logits."""

from __future__ import annotations

from typing import Any

from handfed.shared.tf.runtime import tf


def focal_loss(labels: Any, logits: Any, *, gamma: float, alpha: Any = None) -> Any:  # noqa: ANN401 - tensors
    """Softmax focal loss: cross-entropy that attends to what is not yet known.

    FL = -alpha_y (1 - p_y)^gamma log p_y, averaged over the batch. Source: Lin et al. 2017 (arXiv:1708.02002),
    equation 5, for softmax. With gamma 0 and no alpha it is cross-entropy.

    Args:
        labels: int (batch,).
        logits: float32 (batch, classes).
        gamma: Focusing parameter, at least 0.
        alpha: float32 (classes,) weights a class, or None for 1.

    Returns:
        float32 scalar, in nats.
    """
    log_probability = tf.gather(tf.nn.log_softmax(logits), labels, batch_dims=1)  # (batch,)
    loss = -log_probability
    if gamma:
        loss *= tf.pow(1.0 - tf.exp(log_probability), gamma)
    if alpha is not None:
        loss *= tf.gather(alpha, labels)
    return tf.reduce_mean(loss)
