"""What `speed` compares with: Flower's own engine on Ray, and a Keras model built and compiled for every message.

Flower's TensorFlow quickstart goes about it so; here it is done with Handfed's recogniser, data and partition, so that
both learn the same. It runs in a process of its own, and imports Flower and TensorFlow at the top, where actors of Ray
import them too.

Source: https://flower.ai/docs/framework/tutorial-quickstart-tensorflow.html.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import RunFailedError
from handfed.shared.run_settings import RunSettings
from handfed.shared.tf import recognisers
from handfed.shared.tf.runtime import keras
from handfed.simulations.benchmarks.rounds import BATCH, DEVICES, HELD_OUT, ROUNDS
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.partition import Partition, split

SETTINGS: Final = RunSettings(batch_size=BATCH)
LEAST_ACCURACY: Final = 0.5  # below it nothing was learnt, and there is nothing to compare with

server_app = ServerApp()
client_app = ClientApp()


def main() -> None:
    """Runs the federation to its end."""
    run_simulation(server_app, client_app, num_supernodes=DEVICES)


@server_app.main()
def serve(grid: Grid, _context: Context) -> None:
    """Flower's averaging with its own defaults: every device trains and evaluates in every round.

    Raises:
        RunFailedError: The federation learnt nothing.
    """
    result = FedAvg().start(grid, ArrayRecord(_model().get_weights()), num_rounds=ROUNDS)
    accuracy = float(str(result.evaluate_metrics_clientapp[ROUNDS]["accuracy"]))
    if accuracy < LEAST_ACCURACY:
        raise RunFailedError(f"the comparison learnt nothing: it reads {accuracy:.0%}")


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Builds the model, trains it, and answers with its weights."""
    model = _received(message)
    images, labels = _handwriting(context, held_out=False)
    history = model.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
    metrics = MetricRecord({"num-examples": len(labels), "loss": float(history.history["loss"][-1])})
    return Message(RecordDict({"arrays": ArrayRecord(model.get_weights()), "metrics": metrics}), reply_to=message)


@client_app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Builds the model, and answers with how well it reads."""
    model = _received(message)
    images, labels = _handwriting(context, held_out=True)
    loss, accuracy = model.evaluate(images, labels, verbose=0)
    metrics = MetricRecord({"num-examples": len(labels), "loss": float(loss), "accuracy": float(accuracy)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


def _model() -> Any:  # noqa: ANN401 - Keras publishes no types
    model = recognisers.build(SETTINGS.recogniser, len(_dataset().alphabet))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(SETTINGS.learning_rate, SETTINGS.momentum), loss, metrics=["accuracy"])
    return model


def _received(message: Message) -> Any:  # noqa: ANN401
    """A new model with the weights of a message; what an earlier message left in Keras is let go."""
    keras.backend.clear_session()
    model = _model()
    model.set_weights(message.content.array_records["arrays"].to_numpy_ndarrays())
    return model


def _handwriting(context: Context, *, held_out: bool) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A device's images, float32 (n, 28, 28, 1), and labels, int32 (n,)."""
    device, partition = int(context.node_config["partition-id"]), _partition()
    rows = partition.held_out_rows(device) if held_out else partition.training_rows(device)
    mine = _dataset().take(rows)
    return mine.images[..., None].astype(np.float32) / np.float32(255), mine.labels


@cache
def _dataset() -> Dataset:
    return MNIST5K.load()


@cache
def _partition() -> Partition:
    return split(_dataset(), scheme="iid", devices=DEVICES, held_out=HELD_OUT, seed=SETTINGS.seed)
