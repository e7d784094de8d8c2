"""Where a run stands between two rounds: all that its next round depends on, as a value and as bytes.

A round is a function of this state, the settings and the devices, so a run that broke off goes on from the last state
that was kept as if nothing had happened.

The bytes are a NumPy archive (`.npz`, without pickles): `header`, the UTF-8 text of a JSON object
`{"format": 1, "number": ..., "void": ..., "float_rounds": ..., "watch": {...}, "model": {...}, "turns": {...}}`, of
which the last four may be absent (`turns`: by node id, how many a device had, and the round of the last), and float
arrays named `GROUP/NAME`, where the group is `arrays`, `average`, `best`, `floating`, `calibrated`,
or `strategy/ATTRIBUTE`. A later format has a higher number and is refused by this reader; unknown keys of the header
are passed over.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from handfed.server.flower.sampling import Turns
from handfed.shared.errors import StorageError
from handfed.shared.run_settings import RunSettings
from handfed.shared.schedules import Watch
from handfed.shared.subject import Subject

Arrays = dict[str, NDArray[np.float32]]
Memory = dict[str, dict[str, NDArray[np.floating]]]  # what a strategy remembers: attribute, then array

FORMAT: Final = 1


@dataclass(frozen=True)
class Model:
    """What the arrays of a run are of.

    Attributes:
        recogniser: Its family.
        alphabet: The names of its classes, in order.
        height: Of the pictures it reads, in pixels.
        pruning: Fraction of its family's channels that it lacks.
        inputs: What it sees beside the ink.
        alphabet_version: 1, and one more each time that its alphabet has grown since the first run it goes back to.
    """

    recogniser: str
    alphabet: tuple[str, ...]
    height: int
    pruning: float = 0.0
    inputs: str = ""
    alphabet_version: int = 1

    @classmethod
    def of(cls, settings: RunSettings, subject: Subject) -> Self:
        """What a run with these settings trains."""
        return cls(settings.recogniser, subject.alphabet.names, subject.height, settings.pruning, settings.inputs)


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Attributes:
        number: Rounds that are over.
        arrays: The combined model, by name.
        memory: What the strategy remembers, such as its momentum; empty between the phases.
        floating: The model after the float rounds; None before their end.
        calibrated: The same with the ranges of its activations; None before their end.
        void: Rounds in a row, up to this one, that stayed below the quorum.
        float_rounds: How many there were; 0 before their end.
        watch: What the losses on held-out handwriting say of the float rounds.
        best: The model of the least such loss, where the run ends the float rounds by it; None after their end.
        model: What the arrays are of; None in what an earlier version wrote.
        turns: What each device has had of the run, where that has a say in who is chosen.
        average: The moving average of the combined models of this phase; None where the run keeps none, and before a
            phase's first round.
    """

    number: int
    arrays: Arrays
    memory: Memory = field(default_factory=dict)
    floating: Arrays | None = None
    calibrated: Arrays | None = None
    void: int = 0
    float_rounds: int = 0
    watch: Watch = field(default_factory=Watch)
    best: Arrays | None = None
    model: Model | None = None
    turns: Mapping[int, Turns] = field(default_factory=dict)
    average: Arrays | None = None

    @property
    def outcome(self) -> Arrays:
        """What the phase has come to: the average where the run keeps one, else the combined model."""
        return self.arrays if self.average is None else self.average

    def to_bytes(self) -> bytes:
        """The state in the format of this module."""
        counts = {"number": self.number, "void": self.void, "float_rounds": self.float_rounds}
        values = {name: asdict(value) for name, value in (("watch", self.watch), ("model", self.model)) if value}
        if self.turns:
            values["turns"] = {str(device): [had.taken, had.last] for device, had in self.turns.items()}
        header = json.dumps({"format": FORMAT, **counts, **values})
        groups: dict[str, Mapping[str, NDArray[np.floating]]] = {"arrays": self.arrays}
        groups |= {f"strategy/{attribute}": arrays for attribute, arrays in self.memory.items()}
        groups |= {
            name: arrays
            for name, arrays in (
                ("floating", self.floating),
                ("calibrated", self.calibrated),
                ("best", self.best),
                ("average", self.average),
            )
            if arrays is not None
        }
        named = {f"{group}/{name}": array for group, arrays in groups.items() for name, array in arrays.items()}
        stream = io.BytesIO()
        np.savez(stream, header=np.frombuffer(header.encode(), np.uint8), **named)  # type: ignore[arg-type]
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> RunState:
        """Reads what `to_bytes` wrote, of this version or an earlier one.

        Raises:
            StorageError: The bytes are damaged, or of a later version.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                header = json.loads(bytes(archive["header"]))
                entries = {name: archive[name] for name in archive.files if name != "header"}
            known, number, void = int(header["format"]), int(header["number"]), int(header["void"])
            float_rounds, watch = int(header.get("float_rounds", 0)), Watch(**header.get("watch", {}))
            model = _model(header["model"]) if "model" in header else None
            turns = {int(device): Turns(*map(int, had)) for device, had in header.get("turns", {}).items()}
        except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise StorageError(f"the checkpoint of the run is damaged ({error}); start the run anew") from error
        if known > FORMAT:
            raise StorageError(f"the checkpoint has format {known}, and this version reads up to {FORMAT}; update it")
        memory: Memory = {}
        for name in entries:
            if name.startswith("strategy/"):
                memory.setdefault(name.split("/")[1], _group(entries, "/".join(name.split("/")[:2])))
        return cls(
            number,
            _group(entries, "arrays"),
            memory,
            _group(entries, "floating") or None,
            _group(entries, "calibrated") or None,
            void,
            float_rounds,
            watch,
            _group(entries, "best") or None,
            model,
            turns,
            _group(entries, "average") or None,
        )


def _model(values: Mapping[str, Any]) -> Model:
    """What the header says of the arrays."""
    names = tuple(str(name) for name in values["alphabet"])
    return Model(
        str(values["recogniser"]),
        names,
        int(values["height"]),
        float(values["pruning"]),
        str(values["inputs"]),
        int(values.get("alphabet_version", 1)),
    )


def _group(entries: Mapping[str, NDArray[np.float32]], group: str) -> Arrays:
    """The arrays whose names begin with `group/`, in their order, without it."""
    start = f"{group}/"
    return {name.removeprefix(start): array for name, array in entries.items() if name.startswith(start)}
