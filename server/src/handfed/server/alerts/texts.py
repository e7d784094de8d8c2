"""What is sent of alerts: as words, and as JSON.

Rules:
1. A message holds the kind of the alert, numbers, times, the task, and of a device its name and its organisation's. Why
   a run failed or a release was taken back is not in it: such words may name a machine, or quote a person.
2. JSON has a version; whoever reads it passes over fields that it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from handfed.server.alerts.values import Message

VERSION: Final = 1
TEST: Final = "test"
WORDS: Final[Mapping[str, str]] = {
    "device-away": 'Device "{device}" of "{organisation}" was last heard of {at}.',
    "run-failed": "Run {which} of {task} failed {at}; handfed runs show {which} says why.",
    "release-rolled-back": "Release {which} of {task} was taken back {at}; handfed releases promotions says why.",
    "release-paused": "Release {which} of {task} is paused since {at}.",
    "certificate-ends": "The certificate {which} ends {at}; handfed doctor says what to do.",
    "registry-ends": "What the registry's role {which} signed ends {at}; handfed keys list says what to do.",
    TEST: "This is a test, sent {at}.",
}


def trial(at: datetime) -> Message:
    """A message that says only that it came."""
    return Message(0, "test", TEST, "server", {}, at, at)


def sentence(message: Message) -> str:
    """One message in words."""
    return f"Over: {_about(message)}" if message.state == "over" else _about(message)


def headline(messages: Sequence[Message], server: str) -> str:
    """What a number of messages say, in a line."""
    begun = sum(each.state == "began" for each in messages)
    over = sum(each.state == "over" for each in messages)
    parts = [f"{count} {words}" for count, words in ((begun, "in need of attention"), (over, "over")) if count]
    return f"Handfed {server}: {', '.join(parts) or 'test'}"


def as_text(messages: Sequence[Message], server: str) -> str:
    """All of them in words, a line each."""
    lines = [f"- {sentence(each)}" for each in messages]
    return "\n".join([headline(messages, server), "", *lines, "", "At the server: handfed alerts show"])


def as_json(messages: Sequence[Message], server: str, sent_at: datetime) -> bytes:
    """The body that a webhook gets.

    Args:
        messages: What is told.
        server: What devices call the server.
        sent_at: When it is sent.
    """
    body: dict[str, Any] = {
        "version": VERSION,
        "server": server,
        "sent_at": _iso(sent_at),
        "text": as_text(messages, server),
        "alerts": [_entry(each) for each in messages],
    }
    return json.dumps(body).encode()


def _entry(message: Message) -> dict[str, Any]:
    return {
        "id": f"{message.alert}-{message.state}",
        "state": message.state,
        "kind": message.kind,
        "subject": message.subject,
        "about": dict(message.about),
        "since": _iso(message.since),
        "began_at": _iso(message.began_at),
        "ended_at": None if message.ended_at is None else _iso(message.ended_at),
        "text": sentence(message),
    }


def _about(message: Message) -> str:
    which = message.subject.rpartition("/")[2]
    return WORDS[message.kind].format_map({**message.about, "which": which, "at": _moment(message.since)})


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
