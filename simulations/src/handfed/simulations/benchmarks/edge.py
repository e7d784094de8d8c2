"""What reading costs on a device: beside LiteRT called bare, and from a cold start."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from handfed.clients.edge import Recogniser
from handfed.shared.quiet import quiet
from handfed.shared.targets import LATENCY_MS
from handfed.simulations.benchmarks.commands import command, environment
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.processes import apart
from handfed.simulations.benchmarks.start_up import release_in
from handfed.simulations.datasets.mnist5k import MNIST5K

RATE_AIM: Final = 5000.0  # images a second
RATIO_AIM: Final = 1.25  # time of an image by Recogniser, by that of LiteRT
COLD_START_AIM_S: Final = 0.8
MEMORY_AIM_MB: Final = 70.0
BATCH: Final = 256  # as `Int8Model` cuts them
REPETITIONS: Final = 11

# The memory that the command itself has held, said by its own process in the end (proc(5), VmHWM).
_TELLING: Final = """
import atexit, sys
from handfed.shared.cli import main
atexit.register(lambda: sys.stderr.write(next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))))
main()
"""


@dataclass(frozen=True)
class Rates:
    """What reading costs one thread.

    Attributes:
        bare: Images a second by LiteRT alone, in batches.
        recogniser: By `Recogniser.read_all`, of the same images.
        ratio: Time by `Recogniser` over that by LiteRT, the median of neighbouring measurements.
        with_alternatives: Images a second by `Recogniser.read_each`.
        latency_ms: To read one picture, normalisation included.
    """

    bare: float
    recogniser: float
    ratio: float
    with_alternatives: float
    latency_ms: float


def run(directory: Path, console: Console) -> None:
    """Reading in batches, of one picture, and from a cold start."""
    release = release_in(directory)
    rates = apart(measure, release)
    console.print(
        figures_table(
            (
                Figure("images/s in batches, Recogniser", rates.recogniser, RATE_AIM, "more", ",.0f"),
                Figure("images/s in batches, LiteRT called bare", rates.bare, RATE_AIM, "more", ",.0f"),
                Figure("time of an image, Recogniser / LiteRT", rates.ratio, RATIO_AIM, "less"),
                Figure("images/s in batches, with alternatives", rates.with_alternatives, RATE_AIM, "more", ",.0f"),
                Figure("one picture (ms)", rates.latency_ms, LATENCY_MS, "less", ".3f"),
            ),
            caption=f"CPU time on one thread; batches of {BATCH}; median of {REPETITIONS}, taken in turns.",
        )
    )
    picture = directory / "digit.png"
    Image.fromarray(255 - np.kron(MNIST5K.load().images[0], np.ones((8, 8), np.uint8))).save(picture)
    reading = (str(command()), "recognise", str(picture))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, nothing = _in_turns(
        lambda: _wall_s(reading, directory), lambda: _wall_s((sys.executable, "-c", "pass"), directory)
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / (REPETITIONS + 1)
    console.print(
        figures_table(
            (
                Figure("cold start to the first digit (s)", statistics.median(wall), COLD_START_AIM_S, "less"),
                Figure("its CPU time, with that of python -c pass (s)", cpu_s, COLD_START_AIM_S, "less"),
                Figure("its memory at most (MB)", _peak_bytes(picture, directory) / 1e6, MEMORY_AIM_MB, "less", ".1f"),
            ),
            caption=f"handfed recognise as a fresh process, files in the system's cache; median of {REPETITIONS}.",
        )
    )
    ratio = statistics.median(one / other for one, other in zip(wall, nothing, strict=True))
    console.print(
        f"python -c pass took {statistics.median(nothing):.3f} s: ratio {ratio:.1f}. In the last minute"
        f" {os.getloadavg()[0]:.1f} processes wanted one of {os.cpu_count()} cores.",
        highlight=False,
    )


def measure(release: Path) -> Rates:
    """Measures a release of characters in this process."""
    images = MNIST5K.load().images
    images = images[: len(images) // BATCH * BATCH]
    recogniser = Recogniser.open(release)
    if recogniser.inputs:
        raise ValueError("a release that sees more than the ink is not what LiteRT can be given bare")
    bare_reader = _bare(release / "model.tflite", images)
    bare_s, ours_s = _in_turns(lambda: _cpu_s(bare_reader), lambda: _cpu_s(lambda: recogniser.read_all(images)))
    each_s = statistics.median(_cpu_s(lambda: recogniser.read_each(images)) for _ in range(REPETITIONS))
    return Rates(
        bare=len(images) / statistics.median(bare_s),
        recogniser=len(images) / statistics.median(ours_s),
        ratio=statistics.median(ours / bare for ours, bare in zip(ours_s, bare_s, strict=True)),
        with_alternatives=len(images) / each_s,
        latency_ms=1000 * statistics.median(_cpu_s(partial(recogniser.read, image)) for image in images[:500]),
    )


def _bare(model: Path, images: NDArray[np.uint8]) -> Callable[[], None]:
    """Reads all images by LiteRT alone: they are laid out for it beforehand, and what it says is one class each."""
    with quiet():
        from ai_edge_litert.interpreter import Interpreter

        interpreter: Any = Interpreter(model_path=str(model), num_threads=1)
        source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(source, [BATCH, *images.shape[1:], 1])
        interpreter.allocate_tensors()
    levels = (images.astype(np.int16) - 128).astype(np.int8)[..., None]
    batches = [np.ascontiguousarray(levels[start : start + BATCH]) for start in range(0, len(levels), BATCH)]

    def read() -> None:
        for batch in batches:
            interpreter.set_tensor(source, batch)
            interpreter.invoke()
            interpreter.get_tensor(target).argmax(axis=1)

    return read


def _in_turns(one: Callable[[], float], other: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Both, again and again side by side, so that whatever else the machine does slows both."""
    one()
    other()
    pairs = [(one(), other()) for _ in range(REPETITIONS)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _wall_s(arguments: Sequence[str], directory: Path) -> float:
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - commands of this environment
        arguments, stdout=subprocess.DEVNULL, env=environment(directory), check=True
    )
    return time.perf_counter() - started


def _peak_bytes(picture: Path, directory: Path) -> int:
    said = subprocess.run(  # noqa: S603 - likewise
        [sys.executable, "-c", _TELLING, "recognise", str(picture)],
        capture_output=True,
        env=environment(directory),
        check=True,
    ).stderr
    return int(said.split()[-2]) * 1024
