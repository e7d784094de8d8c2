"""The pool engine: a worker process a core, each with one warm recogniser and one thread.

Batches of a device are small: a second thread within one operation costs more than it gives, while two devices at once
take half the time. Workers are forked from a server that has imported TensorFlow and nothing else, so it is imported
once and its memory is shared. Whichever worker computes an answer, it is the same to the bit.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from handfed.shared.errors import HandfedError
from handfed.shared.run_settings import Value
from handfed.simulations.engines.engine import MakeClientApp, Progress, Workers
from handfed.simulations.engines.grid import Answer, LocalGrid, Question, identify, serve
from handfed.simulations.engines.in_process import answer

_PRELOADED = ["handfed.simulations.engines.pool", "handfed.shared.tf.training", "handfed.clients.trainer.app"]

_client_app: ClientApp | None = None  # of a worker process


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
    with processes(workers, _begin, (make_client_app,)) as pool:

        def carry(questions: Sequence[Question]) -> Iterator[Answer]:
            return pool.map(_answer, questions)

        serve(server_app, LocalGrid(carry, devices, progress), run_config)


@contextmanager
def processes(
    workers: Workers, initializer: Callable[..., None], arguments: tuple[object, ...]
) -> Iterator[ProcessPoolExecutor]:
    """Worker processes with TensorFlow, for as long as the block runs.

    Args:
        workers: How many, and how many threads each.
        initializer: Called in each with `arguments`, when it is otherwise ready.
        arguments: Can be pickled.

    Raises:
        HandfedError: A worker process died; the machine may be out of memory.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    count = workers.count or len(os.sched_getaffinity(0))
    pool = ProcessPoolExecutor(
        count, mp_context=context, initializer=_make_ready, initargs=(workers.threads, initializer, arguments)
    )
    try:
        yield pool
    except BrokenProcessPool:
        raise HandfedError(
            "a worker process died, perhaps for want of memory; try fewer --workers, or --engine in-process, and go on"
            " with --resume"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make_ready(threads: int, initializer: Callable[..., None], arguments: tuple[object, ...]) -> None:
    """Makes a worker ready: it belongs to the run, and dies with the process that started it."""
    from handfed.shared.tf.runtime import configure

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that a person started
    threading.Thread(target=_die_with_parent, daemon=True).start()
    configure(threads)
    identify()
    initializer(*arguments)


def _begin(make_client_app: MakeClientApp) -> None:
    global _client_app  # noqa: PLW0603 - what a pool's initializer leaves for its tasks
    _client_app = make_client_app()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(question: Question) -> Answer:
    if _client_app is None:
        raise RuntimeError("the worker was not made ready")
    return answer(_client_app, question)
