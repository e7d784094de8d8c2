"""The devices, as a run's process reaches them through the server it belongs to.

Flower's own grid asks for replies every three seconds, and names no device in the errors that SuperLink makes for one
that is gone. This one asks again as soon as it was answered, since the server holds the question, and says whose each
reply is. Messages end with the round: one that comes late is not handed to a device any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Final

from flwr.app import Message
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.superlink.grid import HttpGrid, http_grid

_PAUSE_S: Final = 0.05  # after an answer; who has nothing to say answers late
# Parts of a reply that are still on their way are asked for again soon, and not after seconds.
http_grid.pull_objects = partial(  # type: ignore[attr-defined]  # Flower's own import
    pull_objects, initial_backoff=0.05, backoff_cap=1.0
)


class PromptGrid(HttpGrid):
    """Flower's grid over its Runtime API, without its pauses.

    Args:
        address: `host:port` of the inside of `handfed.server.flower.door`, on loopback and so without TLS.
        token: Of the run.
    """

    def __init__(self, address: str, *, token: str) -> None:
        super().__init__(address, insecure=True, token=token)
        self._asked: dict[str, int] = {}  # node ids by message

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Sends messages; gives their ids."""
        messages = list(messages)
        found = list(super().push_messages(messages))
        nodes = [message.metadata.dst_node_id for message in messages]
        self._asked |= {message: node for message, node in zip(found, nodes, strict=True) if message}
        return [message for message in found if message]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """The replies that are there, each with the device that it is of."""
        found = list(super().pull_messages(message_ids))
        for reply in found:
            node = self._asked.pop(reply.metadata.reply_to_message_id, None)
            if node is not None:
                reply.metadata.__dict__["_src_node_id"] = node
        return found

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Sends messages and waits for all replies, or for so many seconds."""
        waiting = set(self.push_messages(messages))
        end = None if timeout is None else time.monotonic() + timeout
        found: list[Message] = []
        while waiting and (end is None or time.monotonic() < end):
            fresh = self.pull_messages(waiting)
            found += fresh
            waiting -= {reply.metadata.reply_to_message_id for reply in fresh}
            if not fresh:
                time.sleep(_PAUSE_S)
        return found
