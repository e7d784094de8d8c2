"""Losses over logits, and what is added to them."""

from __future__ import annotations

from typing import Any, Final

from handfed.shared.tf.runtime import tf

_LEFT_OUT: Final = -1e9  # a logit whose probability, and gradient, are 0 in float32


def without(logits: Any, known: Any) -> Any:  # noqa: ANN401 - tensors
    """Logits of which some outputs are left out: their probability is 0, and no gradient reaches them.

    Args:
        logits: float32 (..., outputs).
        known: bool (outputs,), which stay.
    """
    return tf.where(known, logits, _LEFT_OUT)


def _outputs(logits: Any, known: Any) -> Any:  # noqa: ANN401
    """How many outputs have a say, float32 scalar."""
    return tf.cast(tf.shape(logits)[-1] if known is None else tf.math.count_nonzero(known), tf.float32)


def focal_loss(
    labels: Any,  # noqa: ANN401 - tensors
    logits: Any,  # noqa: ANN401
    *,
    gamma: float,
    alpha: Any = None,  # noqa: ANN401
    each: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Softmax focal loss: cross-entropy that attends to what is not yet known.

    FL = -alpha_y (1 - p_y)^gamma log p_y, averaged over the batch. Source: Lin et al. 2017 (arXiv:1708.02002),
    equation 5, for softmax. With gamma 0 and no alpha it is cross-entropy.

    Args:
        labels: int (batch,).
        logits: float32 (batch, classes).
        gamma: Focusing parameter, at least 0.
        alpha: float32 (classes,) weights a class, or None for 1.
        each: float32 (batch,) weights a sample, or None for 1.

    Returns:
        float32 scalar, in nats.
    """
    log_probability = tf.gather(tf.nn.log_softmax(logits), labels, batch_dims=1)  # (batch,)
    loss = -log_probability
    if gamma:
        loss *= tf.pow(1.0 - tf.exp(log_probability), gamma)
    if alpha is not None:
        loss *= tf.gather(alpha, labels)
    if each is not None:
        loss *= each
    return tf.reduce_mean(loss)


def focal_ctc_loss(
    labels: Any,  # noqa: ANN401 - tensors
    logits: Any,  # noqa: ANN401
    steps: Any,  # noqa: ANN401
    *,
    gamma: float,
    each: Any = None,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """CTC loss that attends to texts that are not yet read.

    FL = (1 - p)^gamma (-log p) with p the probability of the whole text, averaged over the batch. Source: Feng et al.
    2019 (doi:10.1155/2019/9345861); with gamma 0 it is CTC (Graves et al. 2006, equation 14). A text that is too long
    for its steps counts nothing.

    Args:
        labels: int32 (batch, longest), -1 after the last class.
        logits: float32 (batch, steps, classes + 1), the last one is the blank.
        steps: int32 (batch,), how many steps of each count.
        gamma: Focusing parameter, at least 0.
        each: float32 (batch,) weights a text, or None for 1.

    Returns:
        float32 scalar, in nats a text.
    """
    places = tf.where(labels >= 0)
    texts = tf.SparseTensor(places, tf.gather_nd(labels, places), tf.shape(labels, out_type=tf.int64))
    nats = tf.compat.v1.nn.ctc_loss(
        texts, logits, steps, time_major=False, ignore_longer_outputs_than_inputs=True
    )  # (batch,)
    nats = tf.where(tf.math.is_finite(nats), nats, 0.0)  # doubled letters need a step between them, too
    if gamma:
        nats *= tf.pow(1.0 - tf.exp(-nats), gamma)
    if each is not None:
        nats *= each
    return tf.reduce_mean(nats)


def divergence_from_uniform(logits: Any, known: Any = None) -> Any:  # noqa: ANN401 - tensors
    """What label smoothing adds to a loss: D_KL(u || p), averaged over the batch.

    (1 - e) times cross-entropy plus e times this is the cross-entropy of targets smoothed by e, but for a constant.
    Source: Szegedy et al. 2016 (arXiv:1512.00567), section 7.

    Args:
        logits: float32 (batch, classes).
        known: bool (classes,), over which the distribution is uniform, or None for all.

    Returns:
        float32 scalar, in nats.
    """
    classes, log_probabilities = _outputs(logits, known), tf.nn.log_softmax(logits)
    if known is not None:
        log_probabilities = tf.where(known, log_probabilities, 0.0)
    return -tf.reduce_mean(tf.reduce_sum(log_probabilities, axis=-1)) / classes - tf.math.log(classes)


def certainty(logits: Any, steps: Any, known: Any = None) -> Any:  # noqa: ANN401
    """What label smoothing adds to the CTC loss: D_KL(p || u) summed over a text's steps, averaged over the batch.

    A text has no target of its own in each step, which could be smoothed. Source: Kim et al. 2018 (arXiv:1711.02212),
    on label smoothing for CTC; it is the confidence penalty of Pereyra et al. 2017 (arXiv:1701.06548).

    Args:
        logits: float32 (batch, steps, classes + 1).
        steps: int32 (batch,), how many steps of each count.
        known: bool (classes + 1,), over which the distribution is uniform, or None for all.

    Returns:
        float32 scalar, in nats a text.
    """
    log_probabilities = tf.nn.log_softmax(logits)
    classes = _outputs(logits, known)
    nats = tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1) + tf.math.log(classes)
    return sum_over_steps(nats, steps)


def drift(logits: Any) -> Any:  # noqa: ANN401
    """How far logits are from logarithms of probabilities: the square of log Z, summed over steps, mean over the batch.

    A softmax is the same wherever its logits lie, so nothing else keeps them from drifting off, step by step another
    way: floats bear that, and eight bits do not. Source: the z-loss of Chowdhery et al. 2022 (PaLM, arXiv:2204.02311),
    section 5.

    Args:
        logits: float32 (batch, steps, classes + 1).

    Returns:
        float32 scalar, in nats squared a text.
    """
    return tf.reduce_mean(tf.reduce_sum(tf.square(tf.reduce_logsumexp(logits, axis=-1)), axis=1))


def distillation(teacher: Any, logits: Any, temperature: float) -> Any:  # noqa: ANN401
    """How far a model's outputs are from its teacher's: T^2 D_KL(teacher || model), both softened by T.

    Source: Hinton et al. 2015 (arXiv:1503.02531), section 2; by T^2 its gradients are as long at any temperature.

    Args:
        teacher: float32 (..., classes), the teacher's logits.
        logits: float32 (..., classes).
        temperature: T, above 0.

    Returns:
        float32 (...), in nats.
    """
    wanted, found = (tf.nn.log_softmax(each / temperature) for each in (teacher, logits))
    return temperature**2 * tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)


def sum_over_steps(nats: Any, steps: Any) -> Any:  # noqa: ANN401
    """The mean over texts of what their own steps sum to; nats is float32 (batch, steps)."""
    mask = tf.sequence_mask(steps, tf.shape(nats)[1], nats.dtype)
    return tf.reduce_mean(tf.reduce_sum(nats * mask, axis=1))
