"""A tracker for TensorBoard: scalars and histograms by round, in event files.

    DIR/20260506-120000-run-0012/events.out.tfevents.SECONDS.NUMBER

    loss, accuracy, bytes/…, updates/…, seconds/…   scalars of the round
    weights/ARRAY                                   histogram of an array of the combined model
    update/ARRAY                                    histogram of what the round changed in it
    closing/FIGURE                                  scalars in the end, at the last round

Source: TensorFlow's event files are TFRecords of `Event` protocol buffers
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details); the `tensorboard` package has
both, so TensorFlow is not needed here.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.shared.errors import MissingExtraError
from handfed.simulations.tracking.tracker import EXTRA, Ending, TrackingError, place, scalars

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb  # type: ignore[import-untyped]
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb  # type: ignore[import-untyped]
        from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "tensorboard", EXTRA) from error

_VERSION: Final = "brain.Event:2"  # of the format, as TensorBoard asks for
_BUCKETS: Final = 30


class EventFiles:
    """A `handfed.simulations.tracking.Tracker`.

    Args:
        directory: TensorBoard's `--logdir`; made where there is none.

    Raises:
        TrackingError: The folder cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._records: Any = None  # a RecordWriter, which has no types
        self._before: Arrays = {}
        self._last = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrackingError(f"TensorBoard's folder {directory} cannot be made: {error.strerror}") from error

    def begin(self, run: RecordedRun, settings: Mapping[str, str], *, resumed: bool) -> None:
        """Opens a new event file in the run's folder: TensorBoard reads one after another."""
        del settings, resumed
        try:
            folder = self._directory / place(run)
            folder.mkdir(exist_ok=True)
            started = int(time.time())
            numbers = (folder / f"events.out.tfevents.{started}.{number:04d}" for number in itertools.count())
            file = next(each for each in numbers if not each.exists())
            self._records = RecordWriter(file.open("xb"))
        except OSError as error:
            raise TrackingError(f"TensorBoard's folder {self._directory}: {error.strerror}") from error
        self._write([Event(wall_time=time.time(), file_version=_VERSION)])

    def round(self, result: RoundResult, arrays: Arrays) -> None:
        """Writes a round; the first after `begin` has no update, since what was before is not known."""
        summaries = [scalar_pb(name, value) for name, value in scalars(result).items()]
        for name, array in arrays.items():
            summaries.append(_histogram(f"weights/{name}", array))
            before = self._before.get(name)
            if before is not None and before.shape == array.shape:  # the quantization-aware twin has other arrays
                summaries.append(_histogram(f"update/{name}", array - before))
        self._before, self._last = dict(arrays), result.number
        self._add(summaries)

    def end(self, ending: Ending, figures: Mapping[str, float], marks: Mapping[str, str]) -> None:
        """Writes the closing figures."""
        del ending, marks
        self._add([scalar_pb(f"closing/{name}", value) for name, value in figures.items()])
        self._records.close()

    def _add(self, summaries: Iterable[Any]) -> None:
        now = time.time()
        self._write(Event(wall_time=now, step=self._last, summary=Summary(value=each.value)) for each in summaries)

    def _write(self, events: Iterable[Any]) -> None:
        try:
            for event in events:
                self._records.write(event.SerializeToString())
            self._records.flush()
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            raise TrackingError(f"TensorBoard's event file cannot be written: {error}") from error


def _histogram(tag: str, array: NDArray[np.float32]) -> Any:  # noqa: ANN401 - protocol buffers have no types here
    finite = array[np.isfinite(array)].astype(np.float64)
    return histogram_pb(tag, finite, buckets=_BUCKETS)
