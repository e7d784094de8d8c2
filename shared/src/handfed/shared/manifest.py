"""The manifest of a release: what a model reads, how well, and how to check that it works here.

JSON, described by `manifest.schema.json` beside this module. Format 1 was of single characters, of which the ink alone
was seen; format 2 says what is read, what is seen beside the ink, and the temperature of its confidences. Rules:
1. A release directory holds `manifest.json`, the model that it names, its twin for browsers where it names one (all
   the same but that input and output are unsigned), and `README.md`, the model card.
2. The manifest states size and SHA-256 of the model, and a model of another is refused.
3. A reader passes over fields it does not know; a change that an old reader must not pass over steps `FORMAT`, and a
   newer format is refused.
4. A file of every format that was ever written is kept in the tests and must load.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from handfed.shared import images, strips
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError, ManifestError
from handfed.shared.files import sha256_of
from handfed.shared.geometry import Geometry
from handfed.shared.inputs import CHANNELS, channels
from handfed.shared.tasks import KINDS

FORMAT = 2  # that is written; every format up to it is read
MANIFEST = "manifest.json"
MODEL = "model.tflite"
BROWSER_MODEL = "browser.tflite"
MODEL_CARD = "README.md"

_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class SelfTest:
    """Inputs with the outputs they must give, so that a device can check a model on its own processor.

    Attributes:
        pictures: uint8 (k, height, width, channels), synthetic: nobody wrote them.
        logits: float32 (k, classes), or of texts (k, steps, classes + 1), as the server's LiteRT gave them.
        tolerance: How far a logit may be off.
    """

    pictures: NDArray[np.uint8]
    logits: NDArray[np.float32]
    tolerance: float

    def as_json(self) -> dict[str, Any]:
        """Pictures as base64 of their bytes, logits as numbers."""
        return {
            "pictures": base64.b64encode(self.pictures.tobytes()).decode(),
            "width": self.pictures.shape[2],
            "logits": np.round(self.logits.astype(np.float64), 6).tolist(),
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], geometry: Geometry) -> Self:
        """The inverse of `as_json`, of pictures of that geometry.

        Raises:
            KeyError: A field is missing.
            ValueError: A field has the wrong type or shape.
        """
        content = base64.b64decode(_take(value, "pictures", str), validate=True)
        width = _take(value, "width", int)
        pictures = np.frombuffer(content, np.uint8).reshape(-1, geometry.height, width, geometry.channels)
        logits = np.asarray(_take(value, "logits", list), np.float64)
        rank = 3 if geometry.width is None else 2
        if logits.ndim != rank or len(logits) != len(pictures) or not len(pictures):
            raise ValueError(f"logits of shape {logits.shape} for {len(pictures)} pictures")
        tolerance = _take(value, "tolerance", float)
        if tolerance <= 0 or not (np.abs(logits) <= np.finfo(np.float32).max).all():  # nor is NaN
            raise ValueError("a self-test that tests nothing")
        return cls(pictures, logits.astype(np.float32), tolerance)


@dataclass(frozen=True)
class File:
    """One file of a release.

    Attributes:
        sha256: Of its content, hex.
        size_bytes: Its size.
    """

    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, content: bytes) -> Self:
        """That of a content."""
        return cls(sha256_of(content), len(content))

    @classmethod
    def from_json(cls, value: Mapping[str, Any], name: str, where: str) -> Self:
        """Reads what a manifest says of the file of that name.

        Raises:
            KeyError: A field is missing.
            ManifestError: It is another file.
            ValueError: A field has the wrong type.
        """
        if _take(value, "file", str) != name:
            raise ManifestError(f"{where}: the model must be named {name}, and no other file is opened")
        return cls(_take(value, "sha256", str), _take(value, "size_bytes", int))

    def as_json(self, name: str) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"file": name, **asdict(self)}


@dataclass(frozen=True)
class Manifest:
    """What is known of a release; see `manifest.schema.json` for each field's meaning.

    Attributes:
        kind: What a picture shows; one of `handfed.shared.tasks.KINDS`.
        inputs: What is seen beside the ink, as `handfed.shared.inputs` names it.
        temperature: What logits are divided by for confidences (`handfed.shared.calibration`).
        metrics: Fractions and counts measured on held-out handwriting.
        model: The model, `MODEL`.
        browser: Its twin for browsers, `BROWSER_MODEL`; None where there is none.
        alphabet_version: 1, and one more each time that the alphabet has grown; 1 where a manifest does not say.
    """

    release: int
    task: str
    recogniser: str
    alphabet: Alphabet
    run: int
    parent: int | None
    strategy: str
    rounds: int
    devices: int
    created_at: str
    training_seconds: float
    licence: str
    weights_sha256: str
    model: File
    metrics: Mapping[str, Any]
    self_test: SelfTest
    normalisation: int = images.VERSION
    geometry: Geometry = field(default_factory=Geometry)
    minimum_runtime: str = "2.1"
    kind: str = "characters"
    inputs: tuple[str, ...] = ()
    temperature: float = 1.0
    browser: File | None = None
    alphabet_version: int = 1

    def to_json(self) -> dict[str, Any]:
        """The manifest as it is written."""
        return {
            "format": FORMAT,
            "release": self.release,
            "task": self.task,
            "kind": self.kind,
            "inputs": list(self.inputs),
            "recogniser": self.recogniser,
            "alphabet": list(self.alphabet.names),
            **({} if self.alphabet_version == 1 else {"alphabet_version": self.alphabet_version}),
            "geometry": asdict(self.geometry),
            "normalisation": self.normalisation,
            "minimum_runtime": self.minimum_runtime,
            "model": self.model.as_json(MODEL),
            **({} if self.browser is None else {"browser": self.browser.as_json(BROWSER_MODEL)}),
            "metrics": dict(self.metrics),
            "temperature": self.temperature,
            "run": self.run,
            "parent": self.parent,
            "strategy": self.strategy,
            "rounds": self.rounds,
            "devices": self.devices,
            "created_at": self.created_at,
            "training_seconds": self.training_seconds,
            "weights_sha256": self.weights_sha256,
            "licence": self.licence,
            "self_test": self.self_test.as_json(),
        }

    def encode(self) -> bytes:
        """The manifest's file."""
        return (json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @classmethod
    def decode(cls, content: bytes, *, where: str) -> Self:
        """Reads a manifest.

        Args:
            content: The file.
            where: Which file, for the message of an error.

        Raises:
            ManifestError: It is no manifest, lacks a field, or is of a newer format.
        """
        try:
            value = json.loads(content, parse_constant=_refuse_constant)
            if not isinstance(value, dict):
                raise ManifestError(f"{where}: this is no manifest; pull the release again")
            if value.get("format") not in range(1, FORMAT + 1) or value["format"] is True:
                raise ManifestError(
                    f"{where}: manifest format {value.get('format')!r} is not one that this version reads (up to"
                    f" {FORMAT}); update handfed, or pull an older release"
                )
            if value["format"] == 1:
                value = {"kind": "characters", "inputs": [], "temperature": 1.0, **value}
            return cls._from_json(value, where)
        except KeyError as error:
            raise ManifestError(f"{where}: the field {error} is missing; pull the release again") from error
        except (ValueError, TypeError, OverflowError, RecursionError, DatasetError) as error:
            raise ManifestError(f"{where}: a field has the wrong form ({error}); pull the release again") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any], where: str) -> Self:
        kind = _take(value, "kind", str)
        if kind not in KINDS:
            raise ManifestError(f"{where}: reads {kind!r}, which this version does not know; update handfed")
        geometry, seen = _geometry(_take(value, "geometry", dict), kind), tuple(_take(value, "inputs", list))
        if not CHANNELS.keys() >= set(seen) or channels(seen) != geometry.channels:
            raise ManifestError(
                f"{where}: sees {geometry.channels} planes, of which this version does not know all; update handfed"
            )
        temperature = _take(value, "temperature", float)
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}")
        version = images.VERSION if kind == "characters" else strips.VERSION
        if _take(value, "normalisation", int) != version:
            raise ManifestError(
                f"{where}: image normalisation {value['normalisation']} is not the version {version} of this"
                " software; update handfed"
            )
        if _take({"alphabet_version": 1, **value}, "alphabet_version", int) < 1:
            raise ValueError(f"alphabet_version is {value['alphabet_version']}")
        missing = {"width": geometry.width} if value["format"] == 1 else {}
        return cls(
            release=_take(value, "release", int),
            task=_take(value, "task", str),
            recogniser=_take(value, "recogniser", str),
            alphabet=Alphabet.of(_take(value, "alphabet", list), where=where),
            alphabet_version=value.get("alphabet_version", 1),
            run=_take(value, "run", int),
            parent=None if value["parent"] is None else _take(value, "parent", int),
            strategy=_take(value, "strategy", str),
            rounds=_take(value, "rounds", int),
            devices=_take(value, "devices", int),
            created_at=_take(value, "created_at", str),
            training_seconds=_take(value, "training_seconds", float),
            licence=_take(value, "licence", str),
            weights_sha256=_take(value, "weights_sha256", str),
            model=File.from_json(_take(value, "model", dict), MODEL, where),
            browser=File.from_json(_take(value, "browser", dict), BROWSER_MODEL, where) if "browser" in value else None,
            metrics=_take(value, "metrics", dict),
            self_test=SelfTest.from_json({**missing, **_take(value, "self_test", dict)}, geometry),
            normalisation=_take(value, "normalisation", int),
            geometry=geometry,
            minimum_runtime=_take(value, "minimum_runtime", str),
            kind=kind,
            inputs=seen,
            temperature=temperature,
        )


def _geometry(value: Mapping[str, Any], kind: str) -> Geometry:
    """What the model takes; words and lines are of any width, which is written as null.

    Raises:
        KeyError: A field is missing.
        ValueError: A field has the wrong type.
    """
    if kind != "characters" and value["width"] is not None:
        raise ValueError("width is not null, and words and lines are of any")
    width = _take(value, "width", int) if kind == "characters" else None
    return Geometry(_take(value, "height", int), width, _take(value, "channels", int))


def _take(value: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind:
    """A field of a JSON object, of the one type it may have: a number is no text, and true is no number."""
    found: Any = value[name]
    if kind is float and type(found) is int:
        found = float(found)
    if type(found) is not kind:
        raise ValueError(f"{name} is {type(found).__name__}, not {kind.__name__}")
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(f"{name} is not finite")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")  # RFC 8259, section 6


def schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12) of both formats."""
    from importlib.resources import files

    content = files("handfed.shared").joinpath("manifest.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(content))


def read_release(directory: Path) -> tuple[Manifest, bytes]:
    """Reads a release directory and checks that its model is the one its manifest names.

    Raises:
        ManifestError: A file is missing or unreadable, or the model is another one.
    """
    manifest = read_manifest(directory)
    content = _read(directory / MODEL)
    if File.of(content) != manifest.model:
        raise ManifestError(f"{directory / MODEL}: this is not the model of its manifest; pull the release again")
    return manifest, content


def read_manifest(directory: Path) -> Manifest:
    """Reads the manifest of a release directory.

    Raises:
        ManifestError: There is none, or it is not what it should be.
    """
    return Manifest.decode(_read(directory / MANIFEST), where=str(directory / MANIFEST))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}; is this a release directory?") from error
