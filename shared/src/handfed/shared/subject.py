"""What a run is of: the handwriting that a device must have to take part in it.

It travels in the configuration of every message, as three texts and a number (`handfed.shared.wire`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from handfed.shared import inputs
from handfed.shared.alphabet import Alphabet
from handfed.shared.geometry import SIDE

NOT_SETTINGS: Final = frozenset({"alphabet", "kind", "height"})  # of a run: inputs are


@dataclass(frozen=True)
class Subject:
    """What a run is of.

    Attributes:
        alphabet: The classes, in the order of the recogniser's outputs.
        kind: `characters`, `words` or `lines`.
        height: Of the pictures, in pixels.
        inputs: What is seen beside the ink, as `handfed.shared.inputs` names it.
    """

    alphabet: Alphabet
    kind: str = "characters"
    height: int = SIDE
    inputs: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """How many planes the recogniser sees, the ink's among them."""
        return inputs.channels(self.inputs)

    def to_config(self) -> dict[str, int | str]:
        """As it stands in a message's configuration, or a run's."""
        return {
            "alphabet": json.dumps(self.alphabet.names),
            "kind": self.kind,
            "height": self.height,
            "inputs": ",".join(self.inputs),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """What `to_config` gave, among other entries.

        Raises:
            DatasetError: The alphabet is none.
            SettingError: There are no such inputs.
        """
        names = json.loads(str(config["alphabet"]))
        return cls(
            Alphabet.of(names, where="the run's alphabet"),
            str(config["kind"]),
            int(config["height"]),
            inputs.parse(str(config["inputs"])),
        )
