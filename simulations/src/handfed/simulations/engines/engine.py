"""What an engine is: a function that runs a `ServerApp` to its end against so many devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from handfed.shared.run_settings import Value


class Progress(Protocol):
    """Is told of each message that a device has answered."""

    def __call__(self, kind: str, done: int, asked: int) -> None:
        """`done` of `asked` messages of this kind are answered."""


class Engine(Protocol):
    """Runs a federation to its end."""

    def __call__(
        self,
        server_app: ServerApp,
        client_app: ClientApp,
        *,
        devices: int,
        run_config: Mapping[str, Value],
        progress: Progress,
    ) -> None:
        """Device `i` is Flower's node `i + 1` and has `partition-id` i in its node configuration.

        Raises:
            HandfedError: Whatever ended the run.
        """
