"""The formats a release is exported in, and `EXPORT.json`, which says of an export what its file cannot.

An export is a folder: the file (or directory) that its format asks for, and `EXPORT.json`, one JSON object:

    format          1; a later one may have more fields, and a change that a reader must not pass over steps it
    export          the name of the format
    release, task, kind, recogniser, licence    as the release's manifest has them
    source          what it was made of: `model` ("int8" or "float"), and the SHA-256 of the release's model file
    files           of every other file: path, sha256, size_bytes
    input           name, dtype, shape (null is any), and what its values mean
    outputs         likewise; of LiteRT files scale and zero_point, too
    alphabet        the classes, in the order of the outputs
    blank           of texts the position of CTC's blank, after the last class; else null
    columns_a_step  of texts how many columns of a picture make one step; else null
    normalisation   version of the normalisation that pictures went through (`handfed.shared.images`, or `strips`)
    temperature     what logits are divided by for probabilities
    parity          how the file read beside what it was made of (`handfed.server.releases.exports.parity`)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handfed.shared.errors import SettingError
from handfed.shared.files import sha256_of
from handfed.shared.litert import Int8Model
from handfed.shared.manifest import MODEL, Manifest
from handfed.shared.recognisers import family

DESCRIPTION: Final = "EXPORT.json"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Format:
    """A format of exports.

    Attributes:
        name: As on the command line.
        summary: What it is for, in a few words.
        file: The file of an export that is read; `{release}` stands for the release's number.
        floating: Whether it is made of the float model of the release's run, and not of the release's own file.
    """

    name: str
    summary: str
    file: str
    floating: bool


FORMATS: Final = {
    each.name: each
    for each in (
        Format("tflite", "the release's own files: Android, iOS, micro-controllers, browsers", MODEL, floating=False),
        Format("savedmodel", "TensorFlow and TensorFlow Serving", "{release}", floating=True),
        Format("onnx", "ONNX Runtime, TensorRT", "model.onnx", floating=True),
        Format("onnx-int8", "ONNX Runtime, in the release's own integers", "model.onnx", floating=False),
        Format("coreml", "iOS and macOS by Core ML", "model.mlpackage", floating=True),
    )
}


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        SettingError: There is none.
    """
    if name not in FORMATS:
        raise SettingError(f"there is no format {name!r}; choose one of: {', '.join(FORMATS)}")
    return FORMATS[name]


def described(manifest: Manifest, of: Format, parity: dict[str, Any], directory: Path) -> dict[str, Any]:
    """What `EXPORT.json` says of an export.

    Args:
        manifest: Of the release.
        of: The format.
        parity: How it read.
        directory: Where its files are.
    """
    columns = family(manifest.recogniser).columns
    return {
        "format": _FORMAT,
        "export": of.name,
        "release": manifest.release,
        "task": manifest.task,
        "kind": manifest.kind,
        "recogniser": manifest.recogniser,
        "licence": manifest.licence,
        "source": {"model": "float" if of.floating else "int8", "release_sha256": manifest.model.sha256},
        "files": _files(directory),
        **_ends(manifest, of, directory),
        "alphabet": list(manifest.alphabet.names),
        "blank": len(manifest.alphabet) if columns else None,
        "columns_a_step": columns or None,
        "normalisation": manifest.normalisation,
        "temperature": manifest.temperature,
        "parity": parity,
    }


def _files(directory: Path) -> list[dict[str, Any]]:
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != DESCRIPTION)
    return [
        {
            "path": path.relative_to(directory).as_posix(),
            "sha256": sha256_of(path.read_bytes()),
            "size_bytes": path.stat().st_size,
        }
        for path in paths
    ]


def _ends(manifest: Manifest, of: Format, directory: Path) -> dict[str, Any]:
    """Input and outputs."""
    geometry, of_texts = manifest.geometry, manifest.geometry.width is None
    any_number = 1 if of.name == "coreml" else None
    shape = [any_number, geometry.height, geometry.width, geometry.channels]
    classes = len(manifest.alphabet) + of_texts
    found = [any_number, None, classes] if of_texts else [any_number, classes]
    if of.name == "tflite":
        (scale, zero), (out_scale, out_zero) = Int8Model(directory / of.file).quantization
        values = f"the grey level (0 is paper, 255 is ink) plus {zero}; in browser.tflite, uint8, the grey level itself"
        output = [None, 1, None, classes] if of_texts else found
        return {
            "input": {"dtype": "int8", "shape": shape, "values": values, "scale": scale, "zero_point": zero},
            "outputs": [
                {
                    "dtype": "int8",
                    "shape": output,
                    "values": "logits: scale * (integer - zero_point)",
                    "scale": out_scale,
                    "zero_point": out_zero,
                }
            ],
        }
    values = "grey levels / 255: 0 is paper, 1 is ink"
    return {
        "input": {"name": "pictures", "dtype": "float32", "shape": shape, "values": values},
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": found, "values": "logits"},
            {
                "name": "probabilities",
                "dtype": "float32",
                "shape": found,
                "values": "softmax(logits / temperature), 0 to 1",
            },
        ],
    }
