"""The one `ServerApp`: what coordinates a simulation coordinates a federation of real devices."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterable

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from handfed.server.flower.course import Course, Listener
from handfed.server.flower.earlier import Earlier, none_on_record
from handfed.server.flower.state import RunState
from handfed.shared import inputs
from handfed.shared.alphabet import Alphabet
from handfed.shared.run_settings import RunSettings
from handfed.shared.tf.training import trainer

ALPHABET_KEY = "alphabet"
HEIGHT_KEY = "height"

Publish = Callable[[Course, RunState], None]


def create_app(
    publish: Publish,
    listeners: Iterable[Listener] = (),
    resume_from: RunState | None = None,
    earlier: Earlier = none_on_record,
) -> ServerApp:
    """Builds the app.

    Args:
        publish: Called once with the course and its last state.
        listeners: Told of every round.
        resume_from: Where the run stands; None for one that has not begun.
        earlier: Runs that it may start from, or learn from.

    Returns:
        A `ServerApp` whose run configuration holds the fields of `RunSettings`, under `alphabet` the class names as a
        JSON list, and under `height` that of the pictures, in pixels.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        config = dict(context.run_config)
        alphabet = Alphabet.of(json.loads(str(config.pop(ALPHABET_KEY))), where="the run's alphabet")
        height = int(str(config.pop(HEIGHT_KEY)))
        settings = RunSettings.from_mapping(config)
        alpha = settings.alpha(alphabet.names)
        course = Course(
            grid,
            settings,
            alphabet,
            trainer(
                settings.recogniser,
                len(alphabet),
                seed=settings.seed,
                alpha=tuple(alpha) if alpha else None,
                height=height,
                channels=inputs.channels(inputs.parse(settings.inputs)),
                pruning=settings.pruning,
            ),
            listeners,
            earlier=earlier,
        )
        # Some of Flower's strategies collect garbage once an update, which takes half a second where TensorFlow is
        # loaded. What is there already is set aside from collections, once they have gone over it.
        gc.collect()
        gc.freeze()
        publish(course, course.train(resume_from))

    return app
