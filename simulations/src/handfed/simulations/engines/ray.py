"""The Ray engine: Flower's own backend of Ray actors, on this machine's cores or on an existing Ray cluster.

Actors are Flower's `ClientAppActor`s, started and fed by its `RayBackend`; what is ours is the grid, which hands them
messages without polling and gives devices the same ids as every other engine. Each actor is a process that imports
TensorFlow for itself: for one machine the pool engine is faster and smaller. On a cluster, Handfed must be installed on
every node.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from handfed.shared.errors import HandfedError, MissingExtraError
from handfed.shared.run_settings import Value
from handfed.simulations.engines.engine import MakeClientApp, Progress, Workers
from handfed.simulations.engines.grid import Answer, LocalGrid, Question, failed, identify, serve

_PATIENCE_S = 5.0  # for the head of a cluster


def run(
    server_app: ServerApp,
    make_client_app: MakeClientApp,
    *,
    devices: int,
    run_config: Mapping[str, Value],
    progress: Progress,
    workers: Workers,
) -> None:
    """Runs a federation; see `handfed.simulations.engines.Engine`.

    Raises:
        MissingExtraError: Ray is not installed.
        HandfedError: Ray cannot be started, or its cluster cannot be reached.
    """
    backend = _backend(workers)
    import ray

    try:
        backend.build(_App(ray.put(make_client_app), workers.threads))
        with ThreadPoolExecutor(max(1, backend.num_workers)) as threads:

            def carry(questions: Sequence[Question]) -> Iterator[Answer]:
                return threads.map(lambda question: _answer(backend, question), questions)

            serve(server_app, LocalGrid(carry, devices, progress), run_config)
    finally:
        backend.terminate()


def _backend(workers: Workers) -> Any:  # noqa: ANN401 - Flower's class is only there with Ray
    try:
        from flwr.server.superlink.fleet.vce.backend.raybackend import RayBackend  # imports Ray
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "ray", "handfed-simulations[ray]") from error
    arguments: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    if workers.ray_address:
        _check_reachable(workers.ray_address)
        arguments["address"] = workers.ray_address
    else:
        arguments["address"] = "local"  # whatever cluster ran here before
        arguments["num_cpus"] = workers.count or len(os.sched_getaffinity(0))
    logging.getLogger("flwr").setLevel(logging.ERROR)
    # What Ray reads when it starts: nothing is reported, and devices without a GPU are left as they are.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    try:
        backend = RayBackend({"init_args": arguments, "client_resources": {"num_cpus": 1, "num_gpus": 0.0}})
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the Ray cluster at {workers.ray_address}" if workers.ray_address else "Ray on this machine"
        raise HandfedError(f"{where} cannot be used: {error}; try --engine pool, which needs no Ray") from error
    return backend


def _check_reachable(address: str) -> None:
    """Refuses an address at which nobody listens: Ray itself would try for minutes.

    Raises:
        HandfedError: The address is not HOST:PORT, or nobody answers there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise HandfedError(
            f"the Ray cluster at {address} cannot be reached: {error}; give the HOST:PORT that `ray start --head`"
            " printed, or use --engine pool, which needs no Ray"
        ) from error


@dataclass(frozen=True)
class _App:
    """Gives an actor its `ClientApp`: made once in each, from what Ray's object store holds once a machine.

    Attributes:
        reference: The maker, in Ray's object store; with it travels a device's whole data set, so never by message.
        threads: Threads of TensorFlow in the actor.
    """

    reference: Any
    threads: int

    def __call__(self) -> ClientApp:
        return _made(self)


@cache
def _made(app: _App) -> ClientApp:
    import ray

    from handfed.shared.tf.runtime import configure

    configure(app.threads)
    identify()
    make_client_app: MakeClientApp = ray.get(app.reference)
    return make_client_app()


def _answer(backend: Any, question: Question) -> Answer:  # noqa: ANN401
    from flwr.clientapp.client_app import ClientAppException

    message, context = question
    try:
        reply, left = backend.process_message(message, context)
    except ClientAppException as error:
        return failed(message, error), context
    return reply, left
