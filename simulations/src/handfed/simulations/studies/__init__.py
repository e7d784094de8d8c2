"""Studies: what a device by itself makes of what people do, replayed with real handwriting; no run of a federation.

A scenario names one (`study = "label-noise"`). `label_noise` and `few_corrections` compute, `finding` is what they
give, and `page`, `charts` and `table` show it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from handfed.shared.errors import SettingError

if TYPE_CHECKING:
    from handfed.simulations.studies.finding import Finding

# From the data set, the first seed and a listener to what goes on.
Study = Callable[[str, int, Callable[[str], None]], "Finding"]

STUDIES: Final = {name: f"{__name__}.{name.replace('-', '_')}" for name in ("label-noise", "few-corrections")}


def study_of(name: str) -> Study:
    """The study of that name; imports what it computes with.

    Raises:
        SettingError: There is none.
    """
    if name not in STUDIES:
        raise SettingError(f"there is no study {name!r}; choose one of: {', '.join(STUDIES)}")
    found: Study = import_module(STUDIES[name]).run
    return found
