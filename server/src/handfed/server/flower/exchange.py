"""Sending messages to devices and reading what comes back.

Rules:
1. Many devices are asked in parts, so that memory does not grow with their number; replies come in the order of
   device ids within each part, and parts are in that order too.
2. A device's own words may hold a file name or worse: of what it raised, only Flower's code goes on record, and of what
   it says to another version, the version.
3. Flower carries an array as a NumPy file (NEP 1): its header is Python's notation of a dtype and a shape, and NumPy's
   parser of it fails in many ways on what a stranger sends. What it must say is known, so it is passed over unread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from handfed.shared import wire
from handfed.shared.wire import Arrays, Flat, Reason, RejectedError, Schema

PART = 256  # devices that are asked at once
_POLL_S = 0.5
_NPY = b"\x93NUMPY\x01\x00"  # how such a file of version 1.0 begins; the length of its header follows, a uint16
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


def read_reply(reply: Message) -> tuple[ArrayRecord, MetricRecord]:
    """Takes a reply apart.

    Returns:
        Its array, empty where it carries none, and its metrics; neither is checked.

    Raises:
        RejectedError: The device failed or never answered, or the reply is not of this version.
    """
    if reply.has_error():
        if reply.error.code in _NO_REPLY:
            raise RejectedError(Reason.SILENT, "no reply before the deadline")
        version = wire.version_said(reply.error.reason or "")
        if version is not None:
            raise _other_version(version)
        raise RejectedError(Reason.ERROR, f"the device failed (Flower's code {reply.error.code})")
    content = reply.content
    metrics = content.metric_records.get(wire.METRICS)
    if metrics is None or len(content.metric_records) != 1 or len(content.array_records) > 1 or content.config_records:
        raise RejectedError(Reason.CONTENT, "a reply holds one metric record and at most one array record")
    if metrics.get(wire.WIRE_VERSION) != wire.VERSION:
        raise _other_version(metrics.get(wire.WIRE_VERSION))
    return content.array_records.get(wire.ARRAYS, ArrayRecord()), metrics


def _other_version(version: object) -> RejectedError:
    """The rejection of a device of another version, which says on which side to update."""
    number = version if isinstance(version, int) else 0
    older = "the server" if number > wire.VERSION else "the device"
    return RejectedError(Reason.VERSION, f"wire version {number} and not {wire.VERSION}; update {older}")


def read_array(carried: ArrayRecord, schema: Schema, *, values: bool = True) -> Flat:
    """The array that a record carries.

    Args:
        carried: What came.
        schema: What it must be of.
        values: Whether to look at its values too.

    Returns:
        float32 (schema.size,), a view of the bytes that came.

    Raises:
        RejectedError: The record carries something else than one array of this schema, or it cannot be decoded.
    """
    if set(carried) != {schema.title}:
        raise RejectedError(Reason.NAMES, f"it does not carry {schema.title} alone; update the device")
    array = carried[schema.title]
    if array.dtype != "float32":
        raise RejectedError(Reason.DTYPE, f"{schema.title}: another dtype than float32")
    if array.shape != (schema.size,):
        raise RejectedError(Reason.SHAPE, f"{schema.title}: another shape than ({schema.size},)")
    start = 10 + int.from_bytes(array.data[8:10], "little")
    if not array.data.startswith(_NPY) or len(array.data) != start + schema.size * np.float32().nbytes:
        raise RejectedError(Reason.CONTENT, f"{schema.title}: it cannot be decoded")
    flat = np.frombuffer(array.data, np.float32, offset=start)
    schema.check(flat, values=values)
    return flat


def check_number(metrics: Mapping[str, object], name: str) -> float:
    """A finite number of a reply, at least 0.

    Raises:
        RejectedError: It is missing, no number, negative or not finite.
    """
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < math.inf):
        raise RejectedError(Reason.NOT_FINITE, f"{name} is not a number of at least 0")
    return float(value)


def record(arrays: Arrays, schema: Schema) -> ArrayRecord:
    """Arrays as Flower carries them.

    Raises:
        RejectedError: They are not of the schema.
    """
    return ArrayRecord({schema.title: Array(schema.pack(arrays))})


def array_bytes(carried: ArrayRecord) -> int:
    """Bytes of a record's array on the wire."""
    return sum(len(array.data) for array in carried.values())


def reply_bytes(reply: Message) -> int:
    """Bytes of the array that a device sent."""
    if reply.has_error():
        return 0
    return sum(array_bytes(carried) for carried in reply.content.array_records.values())


def replies_by_device(replies: Iterable[Message]) -> list[Message]:
    """Replies in the order of their devices' ids."""
    return sorted(replies, key=lambda reply: reply.metadata.src_node_id)
