"""A real device that goes wrong on purpose: `handfed device run` with another clock, and a trainer that misbehaves.

    python faulty_device.py '{"folder": ..., "ahead_s": seconds that its clock is ahead}'

What its trainer does stands in `faults.json` in the device's folder, read anew for each message for training: by the
round's number, or under "*" for every round, a name of `LIES` or `BREAKS`; and under "version" the version of the wire
that the device speaks. What is absent goes well. A trainer that is warm has a minute for a message.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flwr.app import Array, ArrayRecord, Context, Message
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable

FAULTS: Final = "faults.json"
WARM: Final = "trainer-is-warm"
WARM_STEP_S: Final = 60.0
HANG_S: Final = 3600.0


def create(folder: Path, threads: int) -> ClientApp:
    """Builds the app, in the trainer's process."""
    from handfed.clients.device.folder import store_in
    from handfed.clients.trainer.app import create_app
    from handfed.clients.trainer.device_app import StoredHandwriting
    from handfed.shared import wire
    from handfed.shared.tf.runtime import configure

    wire.VERSION = _faults(folder).get("version", wire.VERSION)
    configure(threads)

    def misbehave(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        if message.metadata.message_type != wire.TRAIN:
            return call_next(message, context)
        faults, number = _faults(folder), str(message.content.config_records[wire.CONFIG]["round"])
        fault = str(faults.get(number, faults.get("*")))
        if fault in BREAKS:
            (folder / WARM).unlink(missing_ok=True)
            BREAKS[fault]()
        sent = message.content.array_records[wire.ARRAYS]
        reply = call_next(message, context)
        if fault in LIES:
            LIES[fault](reply.content, sent)
        (folder / WARM).touch()
        return reply

    return create_app(StoredHandwriting(store_in(folder)).of, [misbehave])


def _faults(folder: Path) -> dict[str, Any]:
    path = folder / FAULTS
    return json.loads(path.read_bytes()) if path.exists() else {}


def _raises() -> None:
    raise ValueError("pupil-7 wrote this")


BREAKS: Final[Mapping[str, Callable[[], object]]] = {
    "raises": _raises,
    "exits": lambda: os._exit(7),
    "hangs": lambda: time.sleep(HANG_S),
}


def _changed(change: Callable[[Any, Any], Any]) -> Callable[[Any, ArrayRecord], None]:
    """A lie about the array, made of what was sent and what was trained."""

    def tell(content: Any, sent: ArrayRecord) -> None:
        ((title, array),) = content["arrays"].items()
        content["arrays"] = ArrayRecord({title: Array(change(sent[title].numpy(), array.numpy()))})

    return tell


def _counted(samples: int) -> Callable[[Any, ArrayRecord], None]:
    def tell(content: Any, _: ArrayRecord) -> None:
        content["metrics"]["num-examples"] = samples

    return tell


def _without_array(content: Any, _: ArrayRecord) -> None:
    content["arrays"] = ArrayRecord()


def _of_old_schema(content: Any, _: ArrayRecord) -> None:
    (array,) = content["arrays"].values()
    content["arrays"] = ArrayRecord({"weight+mean+second-moment-00000000": array})


LIES: Final[Mapping[str, Callable[[Any, ArrayRecord], None]]] = {
    "nan": _changed(lambda _, trained: trained * float("nan")),
    "shape": _changed(lambda _, trained: trained[:-1]),
    "dtype": _changed(lambda _, trained: trained.astype("float64")),
    "missing": _without_array,
    "trillion": _counted(10**12),
    "negative": _counted(-5),
    "scaled": _changed(lambda sent, trained: sent + 100 * (trained - sent)),
    "schema": _of_old_schema,
}


def main() -> None:
    """Runs the device, as `handfed device run` does."""
    from handfed.clients.device import supervisor
    from handfed.clients.device.run import run
    from handfed.clients.device.trainer_process import Limits, TrainerProcess
    from handfed.shared.errors import HandfedError

    class Impatient(TrainerProcess):
        def answer(self, message: bytes, *, time_s: float, cancelled: Callable[[], str | None]) -> bytes:
            is_warm = (self._folder / WARM).exists()
            most_s = min(time_s, WARM_STEP_S) if is_warm else time_s
            return super().answer(message, time_s=most_s, cancelled=cancelled)

    vars(supervisor)["TrainerProcess"] = Impatient
    given = json.loads(sys.argv[1])
    (Path(given["folder"]) / WARM).unlink(missing_ok=True)
    settings = supervisor.DeviceSettings(
        limits=Limits(threads=1, niceness=0),
        app="faulty_device:create",
        clock=lambda: time.time() + given.get("ahead_s", 0.0),
    )
    try:
        run(Path(given["folder"]), settings)
    except HandfedError as error:
        sys.stderr.write(f"handfed: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
