"""Flower's own strategies, by name."""

from __future__ import annotations

from collections.abc import Callable

from flwr.serverapp.strategy import FedAdam, FedAvg, FedAvgM, FedMedian, FedProx, FedTrimmedAvg, Strategy

from handfed.shared.run_settings import RunSettings


def strategy(settings: RunSettings) -> Strategy:
    """Builds the strategy that `settings` names.

    `Guarded` chooses a round's devices and checks their number, so Flower's strategy sees only the chosen ones and has
    no minimum of its own.
    """
    everyone = {
        "fraction_train": 1.0,
        "fraction_evaluate": 1.0,
        "min_train_nodes": 1,
        "min_evaluate_nodes": 1,
        "min_available_nodes": 1,
    }
    builders: dict[str, Callable[[], Strategy]] = {
        "fedavg": lambda: FedAvg(**everyone),  # type: ignore[arg-type]
        "fedavgm": lambda: FedAvgM(**everyone, server_momentum=settings.server_momentum),  # type: ignore[arg-type]
        "fedprox": lambda: FedProx(**everyone, proximal_mu=settings.proximal_mu),  # type: ignore[arg-type]
        "fedadam": lambda: FedAdam(**everyone, eta=0.01, beta_1=0.9, beta_2=0.99, tau=1e-3),  # type: ignore[arg-type]
        "median": lambda: FedMedian(**everyone),  # type: ignore[arg-type]
        "trimmed-mean": lambda: FedTrimmedAvg(**everyone, beta=0.2),  # type: ignore[arg-type]
    }
    return builders[settings.strategy]()
