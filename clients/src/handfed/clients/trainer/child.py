"""The trainer's process: answers the messages that its parent sends, one after the other, and keeps what is warm.

    python -m handfed.clients.trainer.child PARENT DESCRIPTOR THREADS NICENESS APP FOLDER

Its parent is a device (`handfed.clients.device.trainer_process`), which alone speaks to the server. Requests and
answers are Flower's protobuf `Message`, encoded, each with its length before it (`multiprocessing.connection`).

Rules:
1. Nothing heavy is imported before the first message.
2. Of what goes wrong, an answer says no more than `handfed.clients.trainer.discretion` lets pass.
3. It ends with its parent, even in the midst of a step: on Linux by the system's own hand (`parent`),
   elsewhere when it next turns to the parent.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage

from handfed.clients.trainer.discretion import DeviceError
from handfed.shared.parent import die_with

LOG_FORMAT: Final = "%(asctime)s %(levelname)s trainer: %(message)s"

_log = logging.getLogger(__name__)


class Answers:
    """Answers messages with an app, which is made when the first one comes.

    Args:
        app: `module:function`; the function takes the folder and the threads and gives a `ClientApp`.
        folder: The device's folder.
        threads: Threads of one operation; 0 for every core.
    """

    def __init__(self, app: str, folder: Path, threads: int) -> None:
        self._name = app
        self._folder = folder
        self._threads = threads
        self._app: ClientApp | None = None
        self._context: Context | None = None

    def __call__(self, request: bytes) -> bytes:
        """The answer to a message, both encoded; where it fails, that is the answer."""
        message = message_from_proto(ProtoMessage.FromString(request))
        try:
            app = self._app = self._app or self._made()
            answer = app(message=message, context=self._context_of(message))
        except DeviceError as error:
            _log.warning("no answer: %s", error)
            answer = Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, str(error)), reply_to=message)
        except Exception as error:  # noqa: BLE001 - the edge of a process: its parent hears of it
            kind = type(error).__name__
            _log.error("no answer: %s", kind)
            reason = f"the device's trainer failed with {kind}; its own log says where"
            answer = Message(Error(ErrorCode.LOAD_CLIENT_APP_EXCEPTION, reason), reply_to=message)
        encoded: bytes = message_to_proto(answer).SerializeToString()
        return encoded

    def _made(self) -> ClientApp:
        module, _, function = self._name.partition(":")
        app: ClientApp = getattr(importlib.import_module(module), function)(self._folder, self._threads)
        return app

    def _context_of(self, message: Message) -> Context:
        """Flower's context of the message's run; what an app keeps in it lasts as long as the run's messages come."""
        run, node = message.metadata.run_id, message.metadata.dst_node_id
        if self._context is None or (self._context.run_id, self._context.node_id) != (run, node):
            self._context = Context(
                run_id=run, node_id=node, node_config={}, state=RecordDict(), run_config={}, series_id=0
            )
        return self._context


def main(arguments: list[str]) -> None:
    """Answers until the parent closes its end."""
    parent, descriptor, threads, niceness = map(int, arguments[:4])
    app, folder = arguments[4], Path(arguments[5])
    die_with(parent)
    os.nice(niceness)
    logging.basicConfig(format=LOG_FORMAT, level=logging.INFO)
    answers = Answers(app, folder, threads)
    with Connection(descriptor) as connection:
        while True:
            try:
                request = connection.recv_bytes()
            except (EOFError, ConnectionResetError):
                return
            connection.send_bytes(answers(request))


if __name__ == "__main__":
    main(sys.argv[1:])
