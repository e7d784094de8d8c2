"""The in-process engine: devices answer one after the other, in this process, by one warm recogniser.

No polling, no serialisation, no second copy of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from handfed.shared.run_settings import Value
from handfed.simulations.engines.engine import MakeClientApp, Progress, Workers
from handfed.simulations.engines.grid import Answer, LocalGrid, Question, failed, serve


def run(
    server_app: ServerApp,
    make_client_app: MakeClientApp,
    *,
    devices: int,
    run_config: Mapping[str, Value],
    progress: Progress,
    workers: Workers,
) -> None:
    """Runs a federation; see `handfed.simulations.engines.Engine`."""
    del workers  # this process is the only one
    client_app = make_client_app()

    def carry(questions: Sequence[Question]) -> Iterator[Answer]:
        return (answer(client_app, question) for question in questions)

    serve(server_app, LocalGrid(carry, devices, progress), run_config)


def answer(client_app: ClientApp, question: Question) -> Answer:
    """What a device answers, also where its app raises an error."""
    message, context = question
    try:
        return client_app(message, context), context
    except Exception as error:  # noqa: BLE001 - as on a real device, whatever it raises becomes an error message
        return failed(message, error), context
