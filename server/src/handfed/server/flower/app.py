"""The one `ServerApp`: what coordinates a simulation coordinates a federation of real devices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from handfed.server.flower.course import Arrays, Course, Listener
from handfed.shared.alphabet import Alphabet
from handfed.shared.run_settings import RunSettings
from handfed.shared.tf.training import trainer

ALPHABET_KEY = "alphabet"

Publish = Callable[[Course, Arrays, Arrays, Arrays], None]


def create_app(publish: Publish, listeners: Iterable[Listener] = ()) -> ServerApp:
    """Builds the app.

    Args:
        publish: Called once with the course and its arrays: float, calibrated, and after quantization-aware rounds.
        listeners: Told of every round.

    Returns:
        A `ServerApp` whose run configuration holds the fields of `RunSettings` and, under `alphabet`, the class names
        as a JSON list.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        config = dict(context.run_config)
        alphabet = Alphabet.of(json.loads(str(config.pop(ALPHABET_KEY))), where="the run's alphabet")
        settings = RunSettings.from_mapping(config)
        alpha = settings.alpha(alphabet.names)
        course = Course(
            grid,
            settings,
            alphabet,
            trainer(settings.recogniser, len(alphabet), seed=settings.seed, alpha=tuple(alpha) if alpha else None),
            listeners,
        )
        floating = course.train_float()
        calibrated = course.calibrate(floating)
        publish(course, floating, calibrated, course.train_quantized(calibrated))

    return app
