"""Ways of learning a step: what a device trains on, and what holds the model to what it knew.

| method         | trains on                                  | also learns from                |
|----------------|--------------------------------------------|---------------------------------|
| `naive`        | what the step brings: fine-tuning          |                                 |
| `replay`       | that, and a memory of what came before     |                                 |
| `distillation` | what the step brings                       | the model of the step before    |
| `both`         | that, and a memory                         | the model of the step before    |
| `joint`        | everything so far: the ceiling             |                                 |

All of them go on from their own model of the step before, and all share the first step.

Source: distillation from what was known, Li and Hoiem 2016 (arXiv:1606.09282); replay with distillation, Rebuffi et al.
2017 (arXiv:1611.07725), here with a softmax over all classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from handfed.shared.errors import SettingError


@dataclass(frozen=True)
class Method:
    """A way of learning a step.

    Attributes:
        name: What it is called.
        everything: Whether what came before is at hand.
        memory: Of that, whether only a memory is trained on.
        teacher: Whether the model of the step before teaches.
    """

    name: str
    everything: bool = False
    memory: bool = False
    teacher: bool = False


METHODS: Final = {
    method.name: method
    for method in (
        Method("naive"),
        Method("replay", everything=True, memory=True),
        Method("distillation", teacher=True),
        Method("both", everything=True, memory=True, teacher=True),
        Method("joint", everything=True),
    )
}
_TO_PUBLISH: Final = ("both", "replay", "distillation", "joint", "naive")  # the first of them that is there


def methods_of(text: str) -> tuple[Method, ...]:
    """The methods that a text names, parted by commas.

    Raises:
        SettingError: There is no method of that name, or none is named.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise SettingError(f"methods {text!r}: choose of {', '.join(METHODS)}, parted by commas")
    return tuple(METHODS[name] for name in dict.fromkeys(names))


def published(methods: tuple[Method, ...]) -> Method:
    """The method whose last model is published: what a federation would use."""
    return min(methods, key=lambda method: _TO_PUBLISH.index(method.name))
