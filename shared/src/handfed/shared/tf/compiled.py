"""A Keras model with its compiled functions: one `tf.function` trains for a whole round.

An epoch, shuffled and augmented, runs inside the graph, and so do all epochs of a round. Loops are written out:
AutoGraph would have to read this source, and on Python 3.13 it warns when it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared import inputs
from handfed.shared.images import with_channels
from handfed.shared.local_training import LocalTraining
from handfed.shared.samples import Samples
from handfed.shared.tf.augment import augment_pictures, hide
from handfed.shared.tf.objectives import Objective
from handfed.shared.tf.optimisers import Optimiser
from handfed.shared.tf.runtime import keras, tf
from handfed.shared.tf.variables import NamedVariables, batch_norms

AT_ONCE: Final = 500  # pictures of which outputs are computed at once
_DROPOUT_STREAM = 100  # of a batch's seed; augmentation has the numbers below


@dataclass(frozen=True)
class Lesson:
    """Whose outputs a model learns from.

    Attributes:
        model: The teacher's Keras model, kept as long as what it teaches.
        outputs: Which of the taught model's outputs its own are, in their order; None for all of them.
    """

    model: Any
    outputs: tuple[int, ...] | None


class Compiled:
    """A Keras model with its compiled functions.

    Attributes:
        model: The Keras model.
        variables: Its state by the names on the wire.

    Args:
        model: A Keras model, float32 (batch, height, width, channels) to the outputs of `objective`.
        objective: What it is trained by.
    """

    def __init__(self, model: Any, objective: Objective) -> None:  # noqa: ANN401
        self.model = model
        self.variables = NamedVariables(model)
        self._objective = objective
        self._extremes: Any = None
        channels = model.input_shape[-1]
        self._functions: dict[tuple[LocalTraining, int, tuple[int, ...] | None], Callable[..., Any]] = {}
        self._anchors = [tf.Variable(tf.zeros_like(weight)) for weight in self.variables.weights]

        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None, None, channels], tf.uint8)])
        def forward(pictures: Any) -> Any:  # noqa: ANN401
            return self.model(_to_float(pictures), training=False)

        self._forward = forward

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Outputs for all pictures, `AT_ONCE` at a time; pictures of one width give outputs of one shape.

        Args:
            pictures: uint8 (n, height, width, channels); where there is one channel, its axis may be left out.
        """
        pictures = with_channels(pictures)
        parts = [self._forward(pictures[start : start + AT_ONCE]).numpy() for start in range(0, len(pictures), AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, *self.model.output_shape[1:]), np.float32)

    def measure(self, samples: Samples) -> None:
        """Sets the moments of each batch normalisation to those of its input over `samples`, layer after layer."""
        for layer, moments in self._moments:
            total, pixels = np.zeros((2, layer.moving_mean.shape[0])), 0
            for _, part in samples.batches(AT_ONCE):
                total += np.stack(moments(_to_float(part.pictures))).astype(np.float64) * part.images.size
                pixels += part.images.size
            mean, second = total / pixels  # each (channels,)
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

    def ranges(self, samples: Samples, names: dict[str, str]) -> dict[str, NDArray[np.float32]]:
        """Least and greatest output of the named layers over `samples`; a range always holds 0."""
        if self._extremes is None:
            outputs = [self.model.get_layer(layer).output for layer in names.values()]
            stacked = [tf.stack([tf.reduce_min(output), tf.reduce_max(output)]) for output in outputs]
            self._extremes = keras.Model(self.model.input, stacked)
        parts = samples.batches(AT_ONCE)
        found = np.array([self._extremes(_to_float(part.pictures)) for _, part in parts])  # (parts, ranges, 2)
        lows = np.minimum(found[:, :, 0].min(axis=0), 0)
        highs = np.maximum(found[:, :, 1].max(axis=0), 0)
        if self._objective.reach is not None:
            last = list(names.values()).index(self._last)
            lows[last] = max(lows[last], highs[last] - self._objective.reach)
        return {
            name: np.array(pair, np.float32) for name, pair in zip(names, zip(lows, highs, strict=True), strict=True)
        }

    def _keep_range(self) -> None:
        """Keeps the range of outputs to what has a say: tfmot's moving averages follow the extremes of every batch."""
        if self._objective.reach is not None:
            self.variables.keep_range(self._last, self._objective.reach)

    @cached_property
    def _last(self) -> str:
        """The layer that gives the outputs, by its name without quantization."""
        last = self.model.layers[-1]
        return str(getattr(last, "layer", last).name)

    def training(self, settings: LocalTraining, lesson: Lesson | None = None) -> Callable[..., Any]:
        """The compiled training function of these settings; what varies by round is an argument of it.

        Args:
            settings: How to train.
            lesson: Whose outputs count beside the labels; None for labels alone.
        """
        taught_by = (0, None) if lesson is None else (id(lesson.model), lesson.outputs)
        key = replace(settings, epochs=0, steps=0, learning_rate=0.0, label_prior=0.0), *taught_by
        if key not in self._functions:
            self._functions[key] = self._compile(settings, lesson)
        return self._functions[key]

    def _compile(self, settings: LocalTraining, lesson: Lesson | None) -> Callable[..., Any]:
        batch_size, accumulation = settings.batch_size, settings.accumulation
        compute = self._gradients(settings, lesson)
        optimiser = Optimiser(settings, self.variables.weights, self.variables.kernels)
        descend = self._descent(settings, optimiser)
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

        @tf.function(
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, None, self.model.input_shape[-1]], tf.uint8),
                tf.TensorSpec([None, None] if self._objective.texts else [None], tf.int32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None], tf.bool),
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([None], tf.float32),
            ],
        )
        def train(  # noqa: PLR0917 - tensors, by position, as TensorFlow calls it
            images: Any,  # noqa: ANN401
            labels: Any,  # noqa: ANN401
            widths: Any,  # noqa: ANN401
            prior: Any,  # noqa: ANN401
            weights: Any,  # noqa: ANN401
            known: Any,  # noqa: ANN401
            seed: Any,  # noqa: ANN401
            batches: Any,  # noqa: ANN401
            learning_rate: Any,  # noqa: ANN401
            each: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            optimiser.restart()
            for weight, anchor in zip(self.variables.weights, self._anchors, strict=True):
                anchor.assign(weight)
            count = tf.shape(widths)[0]
            a_pass = (count + batch_size - 1) // batch_size  # batches

            def one_pass(epoch: Any, seen: Any, total: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
                epoch_seed = tf.random.experimental.stateless_fold_in(seed, epoch)
                order = self._objective.order(widths, epoch_seed, batch_size)
                here = tf.minimum(a_pass, batches - epoch * a_pass)

                def one_batch(index: Any, seen: Any, total: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
                    rows = order[index * batch_size : (index + 1) * batch_size]
                    batch_seed = tf.random.experimental.stateless_fold_in(epoch_seed, index)
                    batch, wanted, columns = (tf.gather(array, rows) for array in (images, labels, widths))
                    loss, gradients = compute(
                        batch, wanted, columns, prior, weights, known, batch_seed, tf.gather(each, rows)
                    )
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

    def _gradients(self, settings: LocalTraining, lesson: Lesson | None) -> Callable[..., tuple[Any, list[Any]]]:
        """The function of a batch that gives its mean loss and the gradients of it."""
        augmentation = replace(
            self._objective.augmentation,
            stroke_width=settings.stroke_width,
            noise=settings.noise,
            salt_and_pepper=settings.salt_and_pepper,
            backgrounds=settings.backgrounds,
            polarity=settings.polarity,
        ).times(settings.augmentation)

        of_strokes = inputs.of_strokes(inputs.parse(settings.inputs))
        weight, temperature = settings.distillation_weight, settings.distillation_temperature
        balanced, gamma, smoothing = settings.class_weights != "none", settings.focal_gamma, settings.label_smoothing
        masked = settings.missing_classes == "masked"

        def compute(  # noqa: PLR0917 - tensors, as the loop over batches has them
            images: Any,  # noqa: ANN401
            labels: Any,  # noqa: ANN401
            widths: Any,  # noqa: ANN401
            prior: Any,  # noqa: ANN401
            weights: Any,  # noqa: ANN401
            known: Any,  # noqa: ANN401
            seed: Any,  # noqa: ANN401
            each: Any,  # noqa: ANN401
        ) -> tuple[Any, list[Any]]:
            batch = _to_float(self._objective.crop(images, widths))  # (batch, height, width, channels)
            if augmentation:
                batch, widths = augment_pictures(batch, seed, augmentation, widths if self._objective.texts else None)
            if settings.hidden_strokes and any(of_strokes):
                batch = hide(batch, seed, settings.hidden_strokes, of_strokes)
            wanted = None if lesson is None else lesson.model(batch, training=False)  # of the same deformed batch
            with tf.GradientTape() as tape:
                outputs = tf.cast(self._training_outputs(batch, seed, settings.dropout), tf.float32)
                loss = self._objective.loss(
                    labels,
                    outputs,
                    widths,
                    prior=prior,
                    weights=weights if balanced else None,
                    known=known if masked else None,
                    gamma=gamma,
                    smoothing=smoothing,
                    each=each,
                )
                if lesson is not None:
                    if lesson.outputs is not None:
                        outputs = tf.gather(outputs, lesson.outputs, axis=-1)
                    taught = self._objective.distillation(wanted, outputs, widths, temperature)
                    loss = (1 - weight) * loss + weight * taught
            self._keep_range()
            return loss, tape.gradient(loss, self.variables.weights)

        return compute

    def _training_outputs(self, batch: Any, seed: Any, dropout: float) -> Any:  # noqa: ANN401
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

    def _descent(self, settings: LocalTraining, optimiser: Optimiser) -> Callable[..., None]:
        """One step of the optimiser, with the pull of FedProx, and with gradients clipped."""
        weights, anchors = self.variables.weights, self._anchors

        def descend(gradients: Any, learning_rate: Any) -> None:  # noqa: ANN401
            if settings.proximal_mu:
                gradients = [
                    gradient + settings.proximal_mu * (weight - anchor)
                    for gradient, weight, anchor in zip(gradients, weights, anchors, strict=True)
                ]
            gradients, _ = tf.clip_by_global_norm(gradients, settings.clip_norm)
            optimiser.step(gradients, learning_rate)

        return descend

    def _set_frozen(self, *, frozen: bool) -> None:
        """In Keras, batch normalisation that is not trainable normalises by its moving moments."""
        for layer in batch_norms(self.model):
            layer.trainable = not frozen


def _to_float(images: Any) -> Any:  # noqa: ANN401 - tensors
    """uint8 0..255 to float32 0..1."""
    return tf.cast(images, tf.float32) / 255.0
