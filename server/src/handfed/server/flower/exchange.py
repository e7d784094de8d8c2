"""Sending messages to devices and reading what comes back.

Rules:
1. Many devices are asked in parts, so that memory does not grow with their number; replies come in the order of
   device ids within each part, and parts are in that order too.
2. A device's own words may hold a file name or worse: of what it raised, only Flower's code goes on record.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from numpy.typing import NDArray

from handfed.shared import wire
from handfed.shared.wire import Reason, RejectedError

PART = 256  # devices that are asked at once
_POLL_S = 0.5
_NO_REPLY = (ErrorCode.MESSAGE_UNAVAILABLE, ErrorCode.REPLY_MESSAGE_UNAVAILABLE, ErrorCode.NODE_UNAVAILABLE)


def send(grid: Grid, kind: str, content: RecordDict, devices: Sequence[int], *, deadline_s: float) -> Iterator[Message]:
    """Sends one content to many devices and yields their replies.

    Args:
        grid: The devices.
        kind: Kind of message; see `handfed.shared.wire`.
        content: What to send.
        devices: Node ids, ascending.
        deadline_s: Seconds that each part of them may take.
    """
    for start in range(0, len(devices), PART):
        part = devices[start : start + PART]
        messages = [Message(content=content, message_type=kind, dst_node_id=device) for device in part]
        replies = grid.send_and_receive(messages, timeout=deadline_s)
        asked = set(part)
        known = [reply for reply in replies if reply.metadata.src_node_id in asked]
        yield from replies_by_device(known)


def collect(grid: Grid, messages: Sequence[Message], *, enough: int, deadline_s: float) -> list[Message]:
    """Sends messages and waits for enough good replies.

    Args:
        grid: The devices.
        messages: One a device.
        enough: Replies without error after which nobody is waited for.
        deadline_s: Seconds after which nobody is waited for.

    Returns:
        What has come by then, errors too.
    """
    if enough >= len(messages):
        return list(grid.send_and_receive(messages, timeout=deadline_s))
    waiting = set(grid.push_messages(messages))
    found: list[Message] = []
    end = time.monotonic() + deadline_s
    while waiting and sum(not reply.has_error() for reply in found) < enough:
        fresh = list(grid.pull_messages(waiting))
        found += fresh
        waiting -= {reply.metadata.reply_to_message_id for reply in fresh}
        if time.monotonic() > end:
            break
        if not fresh:
            time.sleep(_POLL_S)
    return found


def read_reply(reply: Message) -> tuple[dict[str, NDArray[Any]], MetricRecord]:
    """Takes a reply apart.

    Returns:
        Its arrays by name, empty where it carries none, and its metrics.

    Raises:
        RejectedError: The device failed or never answered, or the reply is not of this version, or cannot be read.
    """
    if reply.has_error():
        if reply.error.code in _NO_REPLY:
            raise RejectedError(Reason.SILENT, "no reply before the deadline")
        raise RejectedError(Reason.ERROR, f"the device failed (Flower's code {reply.error.code})")
    content = reply.content
    metrics = content.metric_records.get(wire.METRICS)
    if metrics is None or len(content.metric_records) != 1 or len(content.array_records) > 1 or content.config_records:
        raise RejectedError(Reason.CONTENT, "a reply holds one metric record and at most one array record")
    if metrics.get(wire.WIRE_VERSION) != wire.VERSION:
        raise RejectedError(Reason.VERSION, f"the reply is not of wire version {wire.VERSION}; update the device")
    arrays = content.array_records.get(wire.ARRAYS, ArrayRecord())
    try:
        return {name: array.numpy() for name, array in arrays.items()}, metrics
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise RejectedError(Reason.CONTENT, "an array cannot be decoded") from error


def check_number(metrics: Mapping[str, object], name: str) -> float:
    """A finite number of a reply, at least 0.

    Raises:
        RejectedError: It is missing, no number, negative or not finite.
    """
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < math.inf):
        raise RejectedError(Reason.NOT_FINITE, f"{name} is not a number of at least 0")
    return float(value)


def record(arrays: Mapping[str, NDArray[np.float32]]) -> ArrayRecord:
    """Arrays as Flower carries them."""
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def array_bytes(carried: ArrayRecord) -> int:
    """Bytes of the arrays on the wire."""
    return sum(len(array.data) for array in carried.values())


def reply_bytes(reply: Message) -> int:
    """Bytes of the arrays that a device sent."""
    if reply.has_error():
        return 0
    return sum(array_bytes(carried) for carried in reply.content.array_records.values())


def replies_by_device(replies: Iterable[Message]) -> list[Message]:
    """Replies in the order of their devices' ids."""
    return sorted(replies, key=lambda reply: reply.metadata.src_node_id)
