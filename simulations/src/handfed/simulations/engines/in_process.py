"""The in-process engine: devices answer one after the other, in this process, by one warm recogniser.

Flower's own simulation engines poll queues and start worker processes, each of which imports TensorFlow. Here the
`Grid`, Flower's public seam between a `ServerApp` and its devices, calls the `ClientApp` directly: no polling, no
serialisation, no second copy of TensorFlow, and the same order of devices every time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from handfed.shared.run_settings import Value
from handfed.simulations.engines.engine import Progress

RUN_ID = 1
SERVER_NODE_ID = 0


def run(
    server_app: ServerApp,
    client_app: ClientApp,
    *,
    devices: int,
    run_config: Mapping[str, Value],
    progress: Progress,
) -> None:
    """Runs a federation; see `handfed.simulations.engines.Engine`."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN_ID, SERVER_NODE_ID, 1
    grid = InProcessGrid(client_app, devices, progress)
    context = Context(RUN_ID, SERVER_NODE_ID, {}, RecordDict(), dict(run_config))
    server_app(grid, context)


class InProcessGrid(Grid):
    """A grid whose devices live in this process.

    Args:
        client_app: What every device runs.
        devices: How many there are; their node ids count from 1.
        progress: Told of each answer.
    """

    def __init__(self, client_app: ClientApp, devices: int, progress: Progress) -> None:
        self._client_app = client_app
        self._devices = devices
        self._progress = progress
        self._run = Run.create_empty(RUN_ID)
        # A device's context outlives the round; made when the device is first asked, so that an idle one costs nothing.
        self._contexts: dict[int, Context] = {}
        self._ids = itertools.count(1)
        self._replies: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        """Sets what `run` returns."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message to one device."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Every device is always there."""
        return range(1, self._devices + 1)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Answers the messages and keeps the replies until they are pulled."""
        ids = []
        for reply in self.send_and_receive(messages):
            ids.append(str(next(self._ids)))
            self._replies[ids[-1]] = reply
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies to messages that were pushed, each once."""
        return [self._replies.pop(message_id) for message_id in message_ids if message_id in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Replies in the order of the messages. Every device answers in time, so `timeout` plays no part."""
        del timeout
        return list(self._answers(list(messages)))

    def _answers(self, messages: list[Message]) -> Iterator[Message]:
        for done, message in enumerate(messages, start=1):
            yield self._answer(message)
            self._progress(message.metadata.message_type, done, len(messages))

    def _answer(self, message: Message) -> Message:
        device = message.metadata.dst_node_id
        if device not in self._contexts:
            config: dict[str, Value] = {"partition-id": device - 1, "num-partitions": self._devices}
            self._contexts[device] = Context(RUN_ID, device, config, RecordDict(), {})
        try:
            return self._client_app(message, self._contexts[device])
        except Exception as error:  # noqa: BLE001 - as on a real device, whatever it raises becomes an error message
            reason = f"{type(error).__name__}: {error}"
            return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=message)
