"""What an engine is: a function that runs a `ServerApp` to its end against so many devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from handfed.shared.run_settings import Value

MakeClientApp = Callable[[], ClientApp]


class Progress(Protocol):
    """Is told of each message that a device has answered."""

    def __call__(self, kind: str, done: int, asked: int) -> None:
        """`done` of `asked` messages of this kind are answered."""


@dataclass(frozen=True)
class Workers:
    """What an engine computes with.

    Attributes:
        count: Worker processes; 0 for one a core. The in-process engine has none.
        threads: Threads of TensorFlow in each; 0 for every core.
        ray_address: An existing Ray cluster; None to start Ray on this machine. For the Ray engine alone.
    """

    count: int = 0
    threads: int = 1
    ray_address: str | None = None


class Engine(Protocol):
    """Runs a federation to its end."""

    def __call__(
        self,
        server_app: ServerApp,
        make_client_app: MakeClientApp,
        *,
        devices: int,
        run_config: Mapping[str, Value],
        progress: Progress,
        workers: Workers,
    ) -> None:
        """Device `i` is Flower's node `i + 1` and has `partition-id` i in its node configuration.

        Args:
            server_app: The server.
            make_client_app: Makes what every device runs; can be pickled, since a worker process calls it.
            devices: How many there are.
            run_config: Flower's run configuration.
            progress: Told of each answer.
            workers: What to compute with.

        Raises:
            HandfedError: Whatever ended the run.
        """
