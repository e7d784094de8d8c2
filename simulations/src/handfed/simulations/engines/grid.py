"""The grid of every engine: devices that live on this machine, asked through Flower's public seam.

Flower's own simulation polls queues; here `Grid`, what a `ServerApp` sees of its devices, hands messages straight to
whoever computes the answers. Node ids count from 1, and answers come back in the order of the messages, so that all
engines give the same sums, to the bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from flwr.app import Context, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from handfed.shared.run_settings import Value
from handfed.simulations.engines.engine import Progress

RUN_ID = 1
SERVER_NODE_ID = 0

Question = tuple[Message, Context]
Answer = tuple[Message, Context]  # the context as the device left it
Carry = Callable[[Sequence[Question]], Iterable[Answer]]


def serve(server_app: ServerApp, grid: LocalGrid, run_config: Mapping[str, Value]) -> None:
    """Runs a `ServerApp` to its end over a grid of this machine."""
    identify()
    server_app(grid, Context(RUN_ID, SERVER_NODE_ID, {}, RecordDict(), dict(run_config)))


def identify() -> None:
    """Tells Flower in this process which run its messages belong to."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN_ID, SERVER_NODE_ID, 1


def failed(message: Message, error: Exception) -> Message:
    """What Flower answers in place of a device whose app raised an error."""
    return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, f"{type(error).__name__}: {error}"), reply_to=message)


class LocalGrid(Grid):
    """A grid whose devices live on this machine.

    Args:
        carry: Answers messages, in their order.
        devices: How many devices there are; their node ids count from 1.
        progress: Told of each answer.
    """

    def __init__(self, carry: Carry, devices: int, progress: Progress) -> None:
        self._carry = carry
        self._devices = devices
        self._progress = progress
        self._run = Run.create_empty(RUN_ID)
        # What a device keeps between rounds; one that keeps nothing costs nothing.
        self._states: dict[int, RecordDict] = {}
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
        for message, reply in self._answers(list(messages)):
            ids.append(str(next(self._ids)))
            # Flower's grids give a message its id when it is pushed.
            message.metadata.__dict__["_message_id"] = ids[-1]
            reply.metadata.__dict__["_reply_to_message_id"] = ids[-1]
            self._replies[ids[-1]] = reply
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies to messages that were pushed, each once."""
        return [self._replies.pop(message_id) for message_id in list(message_ids) if message_id in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Replies in the order of the messages; who is too slow for `timeout` is for the engine's faults to say."""
        del timeout
        return [reply for _, reply in self._answers(list(messages))]

    def _answers(self, messages: list[Message]) -> Iterator[tuple[Message, Message]]:
        questions = [(message, self._context(message.metadata.dst_node_id)) for message in messages]
        answers = zip(messages, self._carry(questions), strict=True)
        for done, (message, (reply, context)) in enumerate(answers, start=1):
            if context.state:
                self._states[context.node_id] = context.state
            self._progress(message.metadata.message_type, done, len(messages))
            yield message, reply

    def _context(self, device: int) -> Context:
        config: dict[str, Value] = {"partition-id": device - 1, "num-partitions": self._devices}
        return Context(RUN_ID, device, config, self._states.get(device, RecordDict()), {})
