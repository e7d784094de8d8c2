"""A Flower mod that makes devices fail and lie as a scenario's faults say.

It stands outside of everything that a device does, on the wire, so that what it breaks is broken as a hostile or
unlucky device would break it.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Error, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.common.constant import ErrorCode
from numpy.typing import NDArray

from handfed.shared import wire
from handfed.shared.samples import END
from handfed.simulations.faults import Faults, Lie, liars

SCALE = 10.0  # times as far as an honest update
_KEPT = "arrays-of-the-last-round"


def misbehaving(faults: Faults, seed: int) -> Mod:
    """Builds the mod.

    Args:
        faults: How many devices do what.
        seed: Who they are, and when they drop out.
    """

    def mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        if message.metadata.message_type != wire.TRAIN:
            return call_next(message, context)
        device, devices = int(context.node_config["partition-id"]), int(context.node_config["num-partitions"])
        number = int(str(message.content.config_records[wire.CONFIG]["round"]))
        chance = random.Random(f"{seed}/{number}/{device}").random()  # noqa: S311 - no secret
        if chance < faults.dropouts:
            return Message(Error(ErrorCode.NODE_UNAVAILABLE, "dropped out on purpose"), reply_to=message)
        if chance < faults.dropouts + faults.stragglers:
            # It would train, and answer too late: nobody sees what, so nothing is computed.
            return Message(Error(ErrorCode.REPLY_MESSAGE_UNAVAILABLE, "late on purpose"), reply_to=message)
        lie = liars(faults, devices, seed).get(device)
        if lie == "stale":
            _send_old_arrays(message, context)
        sent = message.content.array_records[wire.ARRAYS]
        reply = call_next(message, context)
        return reply if lie is None or reply.has_error() else _told(lie, sent, reply)

    return mod


def flipped(labels: NDArray[np.int32], classes: int) -> NDArray[np.int32]:
    """Labels that are all one class further, the last one the first; int32, of the shape given."""
    return np.where(labels == END, END, (labels + 1) % classes).astype(np.int32)


def _send_old_arrays(message: Message, context: Context) -> None:
    """Gives the device the arrays of its last round, and keeps those of this one."""
    content = message.content
    now = content.array_records[wire.ARRAYS]
    before = context.state.array_records.get(_KEPT)
    context.state[_KEPT] = now
    if before is not None and set(before) == set(now):  # another phase of the run has other arrays
        message.content = RecordDict({**content, wire.ARRAYS: before})


def _told(lie: Lie, sent: ArrayRecord, reply: Message) -> Message:
    """The reply as a device that lies sends it."""
    changes: dict[Lie, Any] = {
        "nan": lambda _, trained: np.full_like(trained, np.nan),
        "scaled": lambda start, trained: start + np.float32(SCALE) * (trained - start),
        "sign_flipped": lambda start, trained: start - (trained - start),
    }
    if lie not in changes:  # the others lie in what they train on, or from
        return reply
    trained = reply.content.array_records[wire.ARRAYS]
    told = {name: Array(changes[lie](sent[name].numpy(), array.numpy())) for name, array in trained.items()}
    reply.content[wire.ARRAYS] = ArrayRecord(told)
    return reply
