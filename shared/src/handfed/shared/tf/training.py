"""Local training: what a device does with its own handwriting in a round.

A `Trainer` builds each model once and keeps it, with every step compiled; a round only loads arrays into it. An epoch,
shuffled and augmented, runs inside one `tf.function`, and so do all epochs of a round.

Rules:
1. Batch normalisation never looks at the batch while `freeze_statistics` holds: its moments are constants.
2. The logits are shifted by `label_prior` times the logarithm of the device's own class frequencies while it
   trains (Menon et al. 2021, arXiv:2007.07314, equation 9; for federations Zhang et al. 2022, arXiv:2209.00189), so
   that a device with few classes does not teach the others to forget the rest. The frequencies stay on the device.
3. The same arrays, images, settings and seed give the same arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handfed.shared.local_training import LocalTraining
from handfed.shared.tf import recognisers
from handfed.shared.tf.augment import Augmentation, augment
from handfed.shared.tf.losses import focal_loss
from handfed.shared.tf.quantization import quantization_aware, refresh_kernel_ranges
from handfed.shared.tf.runtime import keras, tf
from handfed.shared.tf.variables import NamedVariables, batch_norms
from handfed.shared.wire import Arrays, Schema

_EVALUATION_BATCH = 500
_DROPOUT_STREAM = 100  # of a batch's seed; augmentation has the numbers below


class Trainer:
    """A recogniser and its quantization-aware twin, compiled and kept.

    Args:
        recogniser: Name of the recogniser.
        classes: How many classes it tells apart.
        seed: Seed of the initial weights.
        alpha: Weights a class of the focal loss, float32 (classes,), or None.
    """

    def __init__(self, recogniser: str, classes: int, *, seed: int, alpha: NDArray[np.float32] | None = None) -> None:
        keras.utils.set_random_seed(seed)
        self.classes = classes
        self._model = recognisers.build(recogniser, classes)
        self._alpha = alpha
        self._float = _Compiled(self._model, alpha)
        self._initial = self._float.variables.dump()

    @cached_property
    def _quantized(self) -> _Compiled:
        return _Compiled(quantization_aware(self._model), self._alpha)

    def _of(self, *, quantized: bool) -> _Compiled:
        return self._quantized if quantized else self._float

    def schema(self, *, quantized: bool) -> Schema:
        """The arrays of the float model, or of its quantization-aware twin."""
        return self._of(quantized=quantized).variables.schema

    def initial(self) -> dict[str, NDArray[np.float32]]:
        """The arrays of the untrained float model."""
        return dict(self._initial)

    def train(
        self,
        arrays: Arrays,
        images: NDArray[np.uint8],
        labels: NDArray[np.int32],
        settings: LocalTraining,
        *,
        quantized: bool,
        seed: tuple[int, int],
    ) -> tuple[dict[str, NDArray[np.float32]], float]:
        """Trains from `arrays` on a device's images.

        Args:
            arrays: The state to start from, of this schema.
            images: uint8 (n, 28, 28), normalised, n at least 1.
            labels: int32 (n,).
            settings: How to train.
            quantized: Whether to train the quantization-aware twin; its statistics are always frozen.
            seed: Seeds shuffling and augmentation; another one for each device and round.

        Returns:
            The new state, and the mean training loss in nats an image.
        """
        compiled = self._of(quantized=quantized)
        compiled.variables.load(arrays)
        step = compiled.training(replace(settings, freeze_statistics=quantized or settings.freeze_statistics))
        counts = np.bincount(labels, minlength=self.classes) + 0.5  # a class it lacks is rare, not impossible
        prior = (settings.label_prior * np.log(counts / counts.sum())).astype(np.float32)
        batches = settings.batches(len(labels))
        loss = step(images, labels, prior, np.array(seed, np.int32), batches, settings.learning_rate)
        return compiled.variables.dump(), float(loss)

    def evaluate(
        self, arrays: Arrays, images: NDArray[np.uint8], labels: NDArray[np.int32], *, quantized: bool
    ) -> tuple[int, float]:
        """How many images the model reads right, and its summed cross-entropy in nats."""
        logits = self.logits(arrays, images, quantized=quantized).astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss = -float(log_probabilities[np.arange(len(labels)), labels].sum())
        return int((logits.argmax(axis=1) == labels).sum()), loss

    def logits(self, arrays: Arrays, images: NDArray[np.uint8], *, quantized: bool) -> NDArray[np.float32]:
        """The model's outputs, float32 (n, classes)."""
        compiled = self._of(quantized=quantized)
        compiled.variables.load(arrays)
        if quantized:
            refresh_kernel_ranges(compiled.model)
        return compiled.logits(images)

    def measure_statistics(self, arrays: Arrays, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The batch statistics of these images under `arrays`: every mean and second moment, exact over the images."""
        self._float.variables.load(arrays)
        self._float.measure(images)
        state = self._float.variables.dump()
        return {name: state[name] for pair in self._float.variables.schema.moments() for name in pair}

    def calibrate(self, arrays: Arrays, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The range of each activation that the quantization-aware twin rounds: float32 (2,), least and greatest."""
        self._float.variables.load(arrays)
        return self._float.ranges(images, self._quantized.variables.ranges)

    def quantized_model(self, arrays: Arrays) -> Any:  # noqa: ANN401 - Keras publishes no types
        """The quantization-aware Keras model in the state `arrays`, ready to convert."""
        self._quantized.variables.load(arrays)
        refresh_kernel_ranges(self._quantized.model)
        return self._quantized.model


class _Compiled:
    """A Keras model with its compiled functions."""

    def __init__(self, model: Any, alpha: NDArray[np.float32] | None) -> None:  # noqa: ANN401
        self.model = model
        self.variables = NamedVariables(model)
        self._alpha = None if alpha is None else tf.constant(alpha)
        self._extremes: Any = None
        self._functions: dict[LocalTraining, Callable[..., Any]] = {}
        self._velocities = [tf.Variable(tf.zeros_like(weight)) for weight in self.variables.weights]
        self._anchors = [tf.Variable(tf.zeros_like(weight)) for weight in self.variables.weights]

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, None], tf.uint8)])
        def forward(images: Any) -> Any:  # noqa: ANN401
            return self.model(_to_float(images)[..., None], training=False)

        self._forward = forward

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Outputs for all images, in batches."""
        parts = [
            self._forward(images[start : start + _EVALUATION_BATCH]).numpy()
            for start in range(0, len(images), _EVALUATION_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.model.output_shape[-1]), np.float32)

    def measure(self, images: NDArray[np.uint8]) -> None:
        """Sets the moments of each batch normalisation to those of its input over `images`, layer after layer."""
        for layer, moments in self._moments:
            parts = [np.stack(moments(batch)).astype(np.float64) * len(batch) for batch in _batches(images)]
            mean, second = np.sum(parts, axis=0) / len(images)  # each (channels,)
            layer.moving_mean.assign(mean.astype(np.float32))
            layer.moving_variance.assign(np.maximum(second - mean**2, 0).astype(np.float32))

    @cached_property
    def _moments(self) -> list[tuple[Any, Any]]:
        """Each batch normalisation with the model that gives mean and second moment of its input."""
        return [
            (layer, keras.Model(self.model.input, [reduce(layer.input), reduce(tf.square(layer.input))]))
            for layer in batch_norms(self.model)
            for reduce in (partial(tf.reduce_mean, axis=(0, 1, 2)),)
        ]

    def ranges(self, images: NDArray[np.uint8], names: dict[str, str]) -> dict[str, NDArray[np.float32]]:
        """Least and greatest output of the named layers over `images`; a range always holds 0."""
        if self._extremes is None:
            outputs = [self.model.get_layer(layer).output for layer in names.values()]
            stacked = [tf.stack([tf.reduce_min(output), tf.reduce_max(output)]) for output in outputs]
            self._extremes = keras.Model(self.model.input, stacked)
        found = np.array([self._extremes(batch) for batch in _batches(images)])  # (batches, ranges, 2)
        lows = np.minimum(found[:, :, 0].min(axis=0), 0)
        highs = np.maximum(found[:, :, 1].max(axis=0), 0)
        return {
            name: np.array(pair, np.float32) for name, pair in zip(names, zip(lows, highs, strict=True), strict=True)
        }

    def training(self, settings: LocalTraining) -> Callable[..., Any]:
        """The compiled training function of these settings; what varies by round is an argument of it."""
        key = replace(settings, epochs=0, steps=0, learning_rate=0.0, label_prior=0.0)
        if key not in self._functions:
            self._functions[key] = self._compile(settings)
        return self._functions[key]

    def _compile(self, settings: LocalTraining) -> Callable[..., Any]:
        batch_size, accumulation = settings.batch_size, settings.accumulation
        compute, descend = self._gradients(settings), self._descent(settings)
        sums = [tf.Variable(tf.zeros_like(weight)) for weight in self.variables.weights] if accumulation != 1 else []
        summed = tf.Variable(0.0)  # images behind `sums`

        def accumulate(gradients: Any, count: Any, learning_rate: Any, *, last: Any) -> None:  # noqa: ANN401
            for total, gradient in zip(sums, gradients, strict=True):
                total.assign_add(gradient * count)
            summed.assign_add(count)

            def step() -> Any:  # noqa: ANN401
                descend([total / summed for total in sums], learning_rate)
                for total in (*sums, summed):
                    total.assign(tf.zeros_like(total))
                return tf.constant(0)

            tf.cond(last, step, lambda: tf.constant(0))

        # Loops are written out: AutoGraph would have to read this source, and on Python 3.13 it warns when it does.
        @tf.function(
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, None], tf.uint8),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
            ],
        )
        def train(  # noqa: PLR0917 - tensors, by position, as TensorFlow calls it
            images: Any,  # noqa: ANN401
            labels: Any,  # noqa: ANN401
            prior: Any,  # noqa: ANN401
            seed: Any,  # noqa: ANN401
            batches: Any,  # noqa: ANN401
            learning_rate: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            self._start()
            count = tf.shape(labels)[0]
            a_pass = (count + batch_size - 1) // batch_size  # batches

            def one_pass(epoch: Any, seen: Any, total: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
                epoch_seed = tf.random.experimental.stateless_fold_in(seed, epoch)
                order = tf.argsort(tf.random.stateless_uniform([count], epoch_seed))
                here = tf.minimum(a_pass, batches - epoch * a_pass)

                def one_batch(index: Any, seen: Any, total: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
                    rows = order[index * batch_size : (index + 1) * batch_size]
                    batch_seed = tf.random.experimental.stateless_fold_in(epoch_seed, index)
                    batch, wanted = tf.gather(images, rows), tf.gather(labels, rows)
                    loss, gradients = compute(batch, wanted, prior, batch_seed)
                    size = tf.cast(tf.shape(rows)[0], tf.float32)
                    if accumulation == 1:
                        descend(gradients, learning_rate)
                    else:
                        full = (index + 1) % accumulation == 0 if accumulation else tf.constant(value=False)
                        accumulate(gradients, size, learning_rate, last=full | (index + 1 == here))
                    return index + 1, seen + size, total + loss * size

                _, seen, total = tf.while_loop(lambda index, *_: index < here, one_batch, (0, seen, total))
                return epoch + 1, seen, total

            _, seen, total = tf.while_loop(lambda epoch, *_: epoch * a_pass < batches, one_pass, (0, 0.0, 0.0))
            return total / seen

        self._set_frozen(frozen=settings.freeze_statistics)
        return train

    def _start(self) -> None:
        """What a round begins with: no velocity, and the weights it is pulled back to."""
        for weight, velocity, anchor in zip(self.variables.weights, self._velocities, self._anchors, strict=True):
            velocity.assign(tf.zeros_like(velocity))
            anchor.assign(weight)

    def _gradients(self, settings: LocalTraining) -> Callable[..., tuple[Any, list[Any]]]:
        """The function of a batch that gives its mean loss and the gradients of it."""
        augmentation = Augmentation(
            stroke_width=settings.stroke_width,
            noise=settings.noise,
            salt_and_pepper=settings.salt_and_pepper,
            backgrounds=settings.backgrounds,
            polarity=settings.polarity,
        ).times(settings.augmentation)

        def compute(images: Any, labels: Any, prior: Any, seed: Any) -> tuple[Any, list[Any]]:  # noqa: ANN401
            batch = _to_float(images)  # (batch, 28, 28)
            if augmentation:
                batch = augment(batch, seed, augmentation)
            with tf.GradientTape() as tape:
                logits = self._training_logits(batch[..., None], seed, settings.dropout)  # (batch, classes)
                loss = focal_loss(labels, logits + prior, gamma=settings.focal_gamma, alpha=self._alpha)
            return loss, tape.gradient(loss, self.variables.weights)

        return compute

    def _training_logits(self, batch: Any, seed: Any, dropout: float) -> Any:  # noqa: ANN401
        """Outputs in training, with dropout before the last layer (Srivastava et al. 2014).

        Keras' own layer draws from a state, so that a step would depend on all steps before it, in this process.
        """
        if not dropout:
            return self.model(batch, training=True)
        features, head = self._before_last
        found = features(batch, training=True)  # (batch, features)
        kept = tf.nn.experimental.stateless_dropout(
            found, dropout, tf.random.experimental.stateless_fold_in(seed, _DROPOUT_STREAM)
        )
        return head(kept, training=True)

    @cached_property
    def _before_last(self) -> tuple[Any, Any]:
        """The model up to its last layer, and that layer."""
        last = self.model.layers[-1]
        return keras.Model(self.model.input, last.input), last

    def _descent(self, settings: LocalTraining) -> Callable[..., None]:
        """One step of gradient descent with momentum, with the pull of FedProx, and with gradients clipped."""
        weights, velocities, anchors = self.variables.weights, self._velocities, self._anchors

        def descend(gradients: Any, learning_rate: Any) -> None:  # noqa: ANN401
            if settings.proximal_mu:
                gradients = [
                    gradient + settings.proximal_mu * (weight - anchor)
                    for gradient, weight, anchor in zip(gradients, weights, anchors, strict=True)
                ]
            gradients, _ = tf.clip_by_global_norm(gradients, settings.clip_norm)
            for weight, velocity, gradient in zip(weights, velocities, gradients, strict=True):
                velocity.assign(settings.momentum * velocity + gradient)
                weight.assign_sub(learning_rate * velocity)

        return descend

    def _set_frozen(self, *, frozen: bool) -> None:
        """In Keras, batch normalisation that is not trainable normalises by its moving moments."""
        for layer in batch_norms(self.model):
            layer.trainable = not frozen


def _to_float(images: Any) -> Any:  # noqa: ANN401 - tensors
    """uint8 0..255 to float32 0..1."""
    return tf.cast(images, tf.float32) / 255.0


def _batches(images: NDArray[np.uint8]) -> Iterator[Any]:
    """Tensors float32 (batch, 28, 28, 1) of at most `_EVALUATION_BATCH` images."""
    for start in range(0, len(images), _EVALUATION_BATCH):
        yield _to_float(images[start : start + _EVALUATION_BATCH])[..., None]


@cache
def trainer(recogniser: str, classes: int, *, seed: int = 0, alpha: tuple[float, ...] | None = None) -> Trainer:
    """The process's trainer of these arguments: built once, then kept.

    A server and the devices of a simulation share one, which is safe because a trainer keeps nothing between calls.
    """
    return Trainer(recogniser, classes, seed=seed, alpha=None if alpha is None else np.array(alpha, np.float32))
