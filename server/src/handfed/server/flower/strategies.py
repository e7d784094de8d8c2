"""Flower's own strategies, by name, and what they remember from one round to the next.

A strategy sees all weights as one array. Each of them computes a value at a time, or a length or distance over all
weights together, so what it comes to is the same as of an array a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from flwr.serverapp.strategy import (
    Bulyan,
    FedAdagrad,
    FedAdam,
    FedAvg,
    FedAvgM,
    FedMedian,
    FedProx,
    FedTrimmedAvg,
    FedYogi,
    Krum,
    MultiKrum,
    QFedAvg,
    Strategy,
)

from handfed.server.flower.state import Memory
from handfed.shared import wire
from handfed.shared.run_settings import RunSettings

WEIGHTS: Final = "weights"  # the array that a strategy sees

# What Flower's strategies keep between rounds; everything else in them follows from the settings and the round.
_MEMORY = ("momentum_vector", "m_t", "v_t")


def strategy(settings: RunSettings, participants: int) -> Strategy:
    """Builds the strategy that `settings` names.

    `Guarded` chooses a round's devices and checks their number, so Flower's strategy sees only the chosen ones and has
    no minimum of its own.

    Args:
        settings: How the run trains.
        participants: Devices a round needs, of which `settings.byzantine` may be hostile.
    """
    hostile = int(settings.byzantine * participants)
    everyone: dict[str, Any] = {
        "fraction_train": 1.0,
        "fraction_evaluate": 1.0,
        "min_train_nodes": 1,
        "min_evaluate_nodes": 1,
        "min_available_nodes": 1,
    }
    adaptive = {**everyone, "eta": settings.server_learning_rate, "tau": settings.server_adaptivity}
    # Bulyan is defined for n >= 4 f + 3 devices (El Mhamdi et al. 2018, arXiv:1802.07927).
    for_bulyan = min(hostile, max((participants - 3) // 4, 0))
    builders: dict[str, Callable[[], Strategy]] = {
        "fedavg": lambda: FedAvg(**everyone),
        "fedprox": lambda: FedProx(**everyone, proximal_mu=settings.proximal_mu),
        "fedavgm": lambda: FedAvgM(**everyone, server_momentum=settings.server_momentum),
        "fedadam": lambda: FedAdam(**adaptive, beta_1=0.9, beta_2=0.99),
        "fedyogi": lambda: FedYogi(**adaptive, beta_1=0.9, beta_2=0.99),
        "fedadagrad": lambda: FedAdagrad(**adaptive),
        "median": lambda: FedMedian(**everyone),
        "trimmed-mean": lambda: FedTrimmedAvg(**everyone, beta=settings.byzantine),
        "krum": lambda: Krum(**everyone, num_malicious_nodes=hostile),
        "multi-krum": lambda: MultiKrum(
            **everyone, num_malicious_nodes=hostile, num_nodes_to_select=participants - hostile
        ),
        "bulyan": lambda: Bulyan(**everyone, num_malicious_nodes=for_bulyan),
        "qfedavg": lambda: QFedAvg(
            **everyone,
            client_learning_rate=settings.learning_rate,
            q=settings.fairness_q,
            train_loss_key=wire.LOSS,
        ),
    }
    return builders[settings.strategy]()


def memory_of(flower: Strategy) -> Memory:
    """What a strategy remembers, for a checkpoint."""
    memory: Memory = {}
    for attribute in _MEMORY:
        value = getattr(flower, attribute, None)
        if value:
            (array,) = value.values() if isinstance(value, dict) else value
            memory[attribute] = {WEIGHTS: np.asarray(array)}
    return memory


def remember(flower: Strategy, memory: Memory) -> None:
    """Gives a new strategy what an earlier one remembered; in a checkpoint of wire version 4, an array a layer."""
    for attribute, arrays in memory.items():
        weights = np.concatenate([array.ravel() for array in arrays.values()])
        setattr(flower, attribute, [weights] if attribute == "momentum_vector" else {WEIGHTS: weights})
