"""The model card of a release, in the form that Hugging Face's hub reads (YAML front matter, then Markdown)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handfed.shared.manifest import Manifest

_WORST: Final = 3  # that are named


def model_card(manifest: Manifest) -> str:
    """Writes the card from the manifest alone, so that the two cannot differ."""
    metrics = manifest.metrics
    difference = metrics["float_minus_int8"]
    geometry, of_texts = manifest.geometry, manifest.geometry.width is None
    kind = manifest.kind.removesuffix("s")
    grown = f" (version {manifest.alphabet_version} of the alphabet)" if manifest.alphabet_version > 1 else ""
    seen = f" with planes of {', '.join(manifest.inputs)} beside the ink" if manifest.inputs else ""
    judged = f"{metrics['samples']:,} held-out {manifest.kind if of_texts else 'images'}"
    of_what = f"of the characters of {judged} (1 less the character error rate)" if of_texts else f"of {judged}"
    return f"""---
license: other
license_name: {manifest.licence!r}
library_name: litert
pipeline_tag: image-classification
tags: [handwriting-recognition, federated-learning, int8, quantization-aware-training]
model-index:
  - name: handfed-{manifest.task}-{manifest.release}
    results:
      - task: {{type: image-classification}}
        dataset: {{type: private, name: held-out handwriting of the federation}}
        metrics: [{{type: accuracy, value: {metrics["accuracy_int8"]:.4f}}}]
---

# Release {manifest.release}: {manifest.task}, recogniser {manifest.recogniser}

Reads one handwritten {kind} a picture. Trained by {manifest.devices} devices together, in {manifest.rounds} federated
rounds ({manifest.strategy}); no image left a device. The file is full INT8: of the model
as quantization-aware rounds left it, or as calibration alone did before them, whichever read better.

| | |
|---|---|
| Classes | {len(manifest.alphabet)}: {manifest.alphabet.summary()}{grown} |
| Input | {geometry.height} x {"any width" if of_texts else geometry.width} grey{seen}, normalisation version {manifest.normalisation} |
| Size | {manifest.model.size_bytes:,} bytes |
| Accuracy, INT8 | {metrics["accuracy_int8"]:.2%} {of_what} |
| Accuracy, float | {metrics["accuracy_float"]:.2%} |
| Float minus INT8 | {difference["difference"]:.2%} (95 % interval {difference["low"]:.2%} to {difference["high"]:.2%}) |
| Held out by | {metrics["split_by"]} |
{_writers(metrics)}{_classes(manifest)}| Run | {manifest.run} |
| Published | {manifest.created_at} |
| Licence of the handwriting | {manifest.licence} |

## Use

    handfed recognise IMAGE --release {manifest.release}

## Limits

It was measured on handwriting of the kind the devices hold; other pens, scanners, ages or scripts may read worse. A
reading comes with a confidence, and a person should check what matters. It does not tell a picture that holds no
character of its alphabet from one that does.
"""


def _writers(metrics: Mapping[str, Any]) -> str:
    """A row on how writers differ, where that is known."""
    found = metrics.get("writers")
    if not found:
        return ""
    lowest, median = found["p10"], found["median"]
    return f"| Between {found['count']} writers | median {median:.1%}, tenth percentile {lowest:.1%}, worst tenth {found['worst_decile']:.1%} |\n"


def _classes(manifest: Manifest) -> str:
    """Rows on the classes that are read worst, and what is taken for what most often, where that is known."""
    names, classes = manifest.alphabet.names, manifest.metrics.get("classes")
    if not classes:
        return ""
    worst = sorted(classes, key=lambda each: (each[2] / each[1], each[0]))[:_WORST]
    rows = f"| Read worst | {', '.join(f'{_code(names[label])} {right / of:.1%} of {of:,}' for label, of, right in worst)} |\n"
    confused = sorted(manifest.metrics.get("confusions", ()), key=lambda each: (-each[2], *each[:2]))[:_WORST]
    if confused:
        told = ", ".join(f"{_code(names[label])} as {_code(names[read])} {count:,}" for label, read, count in confused)
        rows += f"| Most often confused | {told} times |\n"
    return rows


def _code(name: str) -> str:
    """A class in a table of Markdown: neither ends it, nor is read as anything but itself."""
    return f"`{name}`" if name not in {"`", "|"} else {"`": "`` ` ``", "|": "`\\|`"}[name]
