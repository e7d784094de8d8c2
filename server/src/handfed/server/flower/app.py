"""The one `ServerApp`: what coordinates a simulation coordinates a federation of real devices."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from handfed.server.flower.course import Course, Listener
from handfed.server.flower.earlier import Earlier, none_on_record
from handfed.server.flower.state import RunState
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import NOT_SETTINGS, Subject
from handfed.shared.tf.training import trainer

Publish = Callable[[Course, RunState], None]


def create_app(
    publish: Publish,
    listeners: Iterable[Listener] = (),
    resume_from: RunState | None = None,
    earlier: Earlier = none_on_record,
    caps: Mapping[int, int] | None = None,
    *,
    number: int = 0,
) -> ServerApp:
    """Builds the app.

    Args:
        publish: Called once with the course and its last state.
        listeners: Told of every round.
        resume_from: Where the run stands; None for one that has not begun.
        earlier: Runs that it may start from, or learn from.
        caps: How many samples a device counts for at most, by node id.
        number: Of the run on the server's record; 0 where there is none.

    Returns:
        A `ServerApp` whose run configuration holds the fields of `RunSettings` and those of a `Subject`, whose inputs
        are the settings' own.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        config = dict(context.run_config)
        subject = Subject.from_config(config)
        settings = RunSettings.from_mapping({name: config[name] for name in config if name not in NOT_SETTINGS})
        alpha = settings.alpha(subject.alphabet.names)
        course = Course(
            grid,
            settings,
            subject,
            trainer(
                settings.recogniser,
                len(subject.alphabet),
                seed=settings.seed,
                alpha=tuple(alpha) if alpha else None,
                height=subject.height,
                channels=subject.channels,
                pruning=settings.pruning,
            ),
            listeners,
            earlier=earlier,
            caps=caps,
            number=number,
        )
        # Some of Flower's strategies collect garbage once an update, which takes half a second where TensorFlow is
        # loaded. What is there already is set aside from collections, once they have gone over it.
        gc.collect()
        gc.freeze()
        publish(course, course.train(resume_from))

    return app
