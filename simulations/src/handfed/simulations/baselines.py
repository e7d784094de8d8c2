"""What a federation is measured against, on the same held-out handwriting and with as many passes over the data.

- **central**, the upper reference: all handwriting in one place, as nobody may collect it. It is a federation of one
  device, so that it goes through the same rounds, quantization and release.
- **local only**, the lower one (`handfed.simulations.alone`): each device trains alone on its own handwriting, and its
  model reads everybody's held-out images.

A pass is one look at each training image: `rounds * participation * local_epochs` of them make a federation's.
"""

from __future__ import annotations

import math
from dataclasses import replace

from handfed.shared.errors import SettingError
from handfed.shared.run_settings import RunSettings
from handfed.simulations.faults import Faults
from handfed.simulations.scenario import Scenario


def passes(settings: RunSettings, rounds: int) -> float:
    """Passes over the data in so many rounds of a federation."""
    return rounds * settings.participation * settings.local_epochs


def central(scenario: Scenario) -> Scenario:
    """The same training in one place: one device, a pass a round, as many passes, and no faults.

    Raises:
        SettingError: The scenario counts steps and not passes.
    """
    settings = scenario.run
    if settings.local_steps:
        raise SettingError("--local-steps counts steps, not passes over the data: leave it out to compare with")
    quantized = max(1, round(passes(settings, settings.qat_rounds))) if settings.qat_rounds else 0
    floating = max(1, round(passes(settings, settings.rounds - settings.qat_rounds)))
    run = replace(
        settings,
        strategy="fedavg",
        rounds=floating + quantized,
        qat_rounds=quantized,
        participation=1.0,
        local_epochs=1,
        over_selection=0.0,
        server_averaging=0.0,
        warmup_rounds=min(settings.warmup_rounds, floating // 2),
        evaluate_every=max(1, round(passes(settings, settings.evaluate_every))),
        freeze_round=max(1, round(passes(settings, settings.freeze_round))),
        plateau_rounds=max(1, round(passes(settings, settings.plateau_rounds))),
        early_stopping=math.ceil(passes(settings, settings.early_stopping)),
        norm_bound=0.0,
        direction_bound=-1.0,
        visibility="inspected",
    )
    return replace(scenario, partition="iid", devices=1, steps="", run=run, faults=Faults())
