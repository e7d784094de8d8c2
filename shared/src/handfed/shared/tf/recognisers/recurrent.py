"""Layers of recognisers that read in sequence: LSTMs, attention over their steps, and a gated sum of several readings.

The LSTM (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; with the forget gate of Gers et al. 2000,
doi:10.1162/089976600300015015) is written out step by step. LiteRT's own keeps its state from one picture to the next,
and becomes integers only with representative data. A step here is one product, of what the step before gave, and a
handful of element-wise operations, so a model of it becomes integers as one of convolutions does, and nothing in it
outlives a picture.

Rules:
1. An LSTM is given its gates' share of the input: a convolution before it multiplies all steps by the input weights at
   once. Its batch normalisation is that of Laurent et al. 2016 (arXiv:1510.01378): from input to state, and not from
   state to state.
2. Ranges within a layer are constants of its design, so that nothing about them is calibrated or sent. A sigmoid ends
   at 1 and tanh at +-1, as LiteRT's 8-bit specification demands; in 8 bits, the sums before them saturate at +-8 and a
   cell at +-4.
3. Steps of any number are read in windows, all side by side, several times. The state that a window ends with begins
   the next window of the next pass, so an output knows what lies less than `passes` windows away (the LSTM of bounded
   latency of Zhang et al. 2016, arXiv:1510.08983, bounded both ways).
"""

from __future__ import annotations

from typing import Any, Final

from handfed.shared.tf.quantization import SelfRounding
from handfed.shared.tf.runtime import keras, tf

_WAYS: Final = ("onwards", "backwards")
_SUM: Final = 8.0  # where a sigmoid is within 0.0004 of its end
_CELL: Final = 4.0  # where tanh is within 0.0007 of its end


class LSTM(SelfRounding):
    """LSTMs of the same steps, one onwards and one backwards.

    Args:
        units: Of each way.
        ways: 1 for onwards alone, or 2.
        window: Steps of a window, of which there are whole ones; 0 where there is one window of all steps.
        passes: How often all windows are read.
        options: Of every Keras layer.
    """

    def __init__(self, units: int, *, ways: int = 2, window: int = 0, passes: int = 1, **options: Any) -> None:  # noqa: ANN401 - Keras publishes no types
        super().__init__(**options)
        self.units, self.ways, self.window, self.passes = units, ways, window, passes
        self.kernels = _WAYS[:ways]

    def get_config(self) -> dict[str, Any]:
        """The arguments, by which Keras builds the layer anew."""
        own = {"units": self.units, "ways": self.ways, "window": self.window, "passes": self.passes}
        return {**super().get_config(), **own}

    def build(self, shape: Any) -> None:  # noqa: ANN401
        """Makes the weights from state to gates, for gates of this shape."""
        for name in self.kernels:
            setattr(self, name, self.add_weight(name, (self.units, 4 * self.units), initializer=_orthogonal))
        self._grid = shape[1:3]
        super().build(shape)

    def compute_output_shape(self, shape: Any) -> Any:  # noqa: ANN401
        """The shape of the outputs of gates of this shape."""
        steps = shape[2] if self.window else shape[1] * shape[2]
        return (shape[0], 1, steps, self.ways * self.units)

    def call(self, gates: Any) -> Any:  # noqa: ANN401
        """Reads all steps.

        Args:
            gates: (batch, height, width, ways * 4 * units): of each way input, forget and output gate, and candidate.
                The steps are in reading order; with a window, the height is 1, and the width its multiple.

        Returns:
            (batch, 1, steps, ways * units), within -1..1.
        """
        shares = tf.split(gates, self.ways, axis=-1)
        steps = [_places(share, self.window) if self.window else _steps(share, *self._grid) for share in shares]
        found = [list(way) for way in steps]
        state = None
        for _ in range(self.passes):
            state = self._handed_on(*state) if state else None
            for place in range(len(steps[0])):
                here = (place, -1 - place)[: self.ways]  # of each way
                gates = tf.concat([way[at] for way, at in zip(steps, here, strict=True)], axis=1)
                state = self._step(gates, state)
                for way, at, output in zip(found, here, state[0], strict=True):
                    way[at] = output
        together = tf.concat([tf.concat(way, axis=0 if self.window else 2) for way in found], axis=-1)
        return tf.batch_to_space(together, [1, self.window], [[0, 0], [0, 0]]) if self.window else together

    def _step(self, gates: Any, state: Any) -> tuple[list[Any], Any]:  # noqa: ANN401
        """One step of every way and window.

        Args:
            gates: (batch, ways, windows, 4 * units).
            state: As it is returned, of the step before; None at first, where all of it is 0.

        Returns:
            The output of each way (batch, 1, windows, units), and the cells (batch, ways, windows, units).
        """
        if state:
            kernels = [getattr(self, name) for name in self.kernels]
            shares = [_product(way, kernel) for way, kernel in zip(state[0], kernels, strict=True)]
            gates = self.rounded(gates + tf.concat([self.rounded(share, _SUM) for share in shares], axis=1), _SUM)
        doors, candidate = tf.split(gates, [3 * self.units, self.units], axis=-1)
        doors = self.rounded(tf.sigmoid(doors), 1.0, signed=False)
        candidate = self.rounded(tf.tanh(candidate), 1.0)
        if state:
            entry, kept, out = tf.split(doors, 3, axis=-1)
            cells = self.rounded(kept * state[1], _CELL) + self.rounded(entry * candidate, 1.0)
        else:  # the converter leaves a split in floats of which a part has no use
            entry, out = doors[..., : self.units], doors[..., 2 * self.units :]
            cells = entry * candidate
        cells = self.rounded(cells, _CELL)
        outputs = self.rounded(out * self.rounded(tf.tanh(cells), 1.0), 1.0)
        return tf.split(outputs, self.ways, axis=1), cells

    def _handed_on(self, outputs: list[Any], cells: Any) -> tuple[list[Any], Any]:  # noqa: ANN401
        """The state that each window begins with: what the one before it has ended with, on its way."""
        moves = (_onwards, _backwards)[: self.ways]
        moved = [move(way) for move, way in zip(moves, tf.split(cells, self.ways, axis=1), strict=True)]
        return [move(output) for move, output in zip(moves, outputs, strict=True)], tf.concat(moved, axis=1)


def _product(x: Any, kernel: Any) -> Any:  # noqa: ANN401
    """(batch, 1, windows, units) times (units, gates), for each step of each picture.

    It is computed as a convolution: TensorFlow's product of so many axes has a gradient for each picture, and crashes
    the process on 200 of them. It is published as a product, since LiteRT gives every convolution a bias of its own, of
    16 bytes a gate.
    """
    return tf.matmul(x, kernel) if _to_publish(x) else tf.nn.conv2d(x, kernel[None, None], 1, "VALID")


def _to_publish(x: Any) -> bool:  # noqa: ANN401
    """Whether a model is traced to be converted: nothing else is traced for a batch of known size."""
    return not tf.executing_eagerly() and x.shape[0] is not None


def _orthogonal(shape: Any, dtype: Any = None, **_: Any) -> Any:  # noqa: ANN401
    """Initial weights from state to gates, an orthogonal matrix for each gate (Saxe et al. 2014, arXiv:1312.6120)."""
    units = shape[-2]
    return tf.concat([keras.initializers.Orthogonal()((units, units), dtype) for _ in range(4)], axis=-1)


def _steps(x: Any, height: int, width: int) -> list[Any]:  # noqa: ANN401
    """(batch, height, width, channels) in reading order, each (batch, 1, 1, channels)."""
    rows = tf.split(x, height, axis=1)
    return [step for row in rows for step in tf.split(row, width, axis=2)]


def _places(x: Any, window: int) -> list[Any]:  # noqa: ANN401
    """(batch, 1, steps, channels) by the place in a window, each (batch, 1, windows, channels).

    To publish, each place is a slice of every so many steps, for which no shape has to be computed. To train,
    all places of a window are brought side by side, since such a slice has a slow gradient.
    """
    if _to_publish(x):
        return [x[:, :, place::window] for place in range(window)]
    return tf.split(tf.reshape(x, [tf.shape(x)[0], 1, -1, window * x.shape[3]]), window, axis=3)


def _onwards(x: Any) -> Any:  # noqa: ANN401
    return tf.pad(x, [[0, 0], [0, 0], [1, 0], [0, 0]])[:, :, :-1]


def _backwards(x: Any) -> Any:  # noqa: ANN401
    return tf.pad(x, [[0, 0], [0, 0], [0, 1], [0, 0]])[:, :, 1:]


class Attention(SelfRounding):
    """The mean of all steps, weighted by their scores (Raffel and Ellis 2016, arXiv:1512.08756)."""

    def build(self, shapes: Any) -> None:  # noqa: ANN401
        """Keeps the number of steps and units."""
        self._sides = shapes[1][2:]
        super().build(shapes)

    def compute_output_shape(self, shapes: Any) -> Any:  # noqa: ANN401
        """The shape of the mean of inputs of these shapes."""
        return (shapes[1][0], shapes[1][3])

    def call(self, inputs: Any) -> Any:  # noqa: ANN401
        """Weighs the steps.

        Args:
            inputs: Scores (batch, 1, steps, 1), and outputs within -1..1, (batch, 1, steps, units).

        Returns:
            (batch, units), within -1..1.
        """
        scores, outputs = inputs
        steps, units = self._sides
        weights = tf.nn.softmax(tf.reshape(scores, [-1, 1, 1, steps]))
        mean = tf.matmul(self.rounded(weights, 1.0, signed=False), outputs)  # (batch, 1, 1, units)
        return tf.reshape(self.rounded(mean, 1.0), [-1, units])


class WindowAttention(SelfRounding):
    """Beside each step the mean of its window's steps, weighted by their scores: `Attention`, a window at a time.

    Args:
        window: Steps of a window, of which there are whole ones.
        options: Of every Keras layer.
    """

    def __init__(self, window: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.window = window

    def get_config(self) -> dict[str, Any]:
        """The arguments, by which Keras builds the layer anew."""
        return {**super().get_config(), "window": self.window}

    def compute_output_shape(self, shapes: Any) -> Any:  # noqa: ANN401
        """The shape of the features of inputs of these shapes."""
        return (*shapes[1][:3], 2 * shapes[1][3])

    def call(self, inputs: Any) -> Any:  # noqa: ANN401
        """Weighs the steps.

        Args:
            inputs: Scores (batch, 1, steps, 1), and outputs within -1..1, (batch, 1, steps, units).

        Returns:
            (batch, 1, steps, 2 * units), within -1..1: the outputs, and their weighted mean.
        """
        scores, outputs = (_places(x, self.window) for x in inputs)
        weights = self.rounded(tf.nn.softmax(tf.concat(scores, axis=-1)), 1.0, signed=False)
        first, *others = [
            self.rounded(weight * output, 1.0)
            for weight, output in zip(tf.split(weights, self.window, axis=-1), outputs, strict=True)
        ]
        for other in others:
            first = self.rounded(first + other, 1.0)
        together = tf.concat([tf.concat([output, first], axis=-1) for output in outputs], axis=0)
        return tf.batch_to_space(together, [1, self.window], [[0, 0], [0, 0]])


class GatedSum(SelfRounding):
    """The sum of several readings, each through a gate that has seen all (Arevalo et al. 2017, arXiv:1702.01992)."""

    def compute_output_shape(self, shapes: Any) -> Any:  # noqa: ANN401
        """The shape of the sum of inputs of these shapes."""
        return shapes[1]

    def call(self, inputs: Any) -> Any:  # noqa: ANN401
        """Adds the readings.

        Args:
            inputs: Gates before their sigmoid (batch, readings * units), and each reading (batch, units), within -1..1.

        Returns:
            (batch, units).
        """
        gates, *readings = inputs
        doors = tf.split(self.rounded(tf.sigmoid(gates), 1.0, signed=False), len(readings), axis=-1)
        first, *others = [self.rounded(door * reading, 1.0) for door, reading in zip(doors, readings, strict=True)]
        for number, other in enumerate(others, start=2):
            first = self.rounded(first + other, number)
        return first
