"""Batch renormalisation: a model in training is given features that are normalised as they are when it reads.

Batch normalisation normalises by the batch in training, and by moving moments in reading. In a federation a batch is of
one writer, or of few classes: what a model learns there from features that are normalised by the writer, it does not
find again when it reads. Renormalised features are those of the moving moments; the gradient is that of a batch's.

Source: Ioffe 2017 (arXiv:1702.03275), algorithm 1 and section 3.
"""

from __future__ import annotations

from typing import Any, Final

from handfed.shared.tf.runtime import keras, tf

SCALE: Final = 3.0  # r_max of section 3: how far a batch's deviation may be from the moving one, as a factor
SHIFT: Final = 5.0  # d_max: how far its mean may be from the moving one, in moving deviations


class BatchRenormalization(keras.layers.BatchNormalization):
    """Batch normalisation of channels, which in training corrects for what sets the batch apart.

    Where it is not trainable, and when the model reads, it is Keras' batch normalisation, whose arguments it has.
    Batches farther from the moving moments than `SCALE` and `SHIFT` are corrected that far and no farther.
    """

    def call(self, inputs: Any, training: Any = None) -> Any:  # noqa: ANN401 - tensors
        """Normalises the last axis.

        Args:
            inputs: (batch, height, width, channels).
            training: Whether to look at the batch.
        """
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        ones, zeros = tf.ones_like(self.gamma), tf.zeros_like(self.beta)
        by_batch, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, ones, zeros, epsilon=self.epsilon)
        places = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        own = variance * (places - 1) / places  # what it normalised by; the operation returns the unbiased estimate
        deviation, usual = tf.sqrt(own + self.epsilon), tf.sqrt(self.moving_variance + self.epsilon)
        scale = tf.stop_gradient(tf.clip_by_value(deviation / usual, 1 / SCALE, SCALE))
        shift = tf.stop_gradient(tf.clip_by_value((mean - self.moving_mean) / usual, -SHIFT, SHIFT))
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance)
        factor, offset = self.gamma * scale, self.gamma * shift + self.beta
        return by_batch * tf.cast(factor, by_batch.dtype) + tf.cast(offset, by_batch.dtype)

    def _follow(self, moving: Any, moment: Any) -> None:  # noqa: ANN401
        moving.assign_sub((1 - self.momentum) * (moving - tf.stop_gradient(moment)))

    def plain(self) -> Any:  # noqa: ANN401 - Keras publishes no types
        """A batch normalisation of the same name and shape, as tfmot folds it into the convolution before it."""
        return keras.layers.BatchNormalization.from_config(self.get_config())
