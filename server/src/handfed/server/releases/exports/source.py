"""What exports of a release are made of: its own files and, for the formats of floats, the arrays of its run.

A release holds integers alone. The float model is in the last checkpoint of the run that made it, which a server keeps;
it is used only where the arrays beside it are those that the release's manifest names by their SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handfed.server.database import Database
from handfed.server.flower.state import Arrays, RunState
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import SettingError
from handfed.shared.manifest import Manifest, read_release

if TYPE_CHECKING:
    from handfed.shared.tf.training import Trainer


@dataclass(frozen=True)
class Source:
    """A release, ready to export.

    Attributes:
        directory: Where its files are.
        manifest: Its manifest.
        model: Its model file, which is the one of the manifest.
        state: The last checkpoint of its run; None where that is not on record here.
    """

    directory: Path
    manifest: Manifest
    model: bytes
    state: RunState | None

    def floating(self) -> tuple[Trainer, Arrays]:
        """The float model: what computes it, and its arrays.

        Raises:
            SettingError: It is not on record, or is another one.
        """
        return _trainer(self.manifest, self.state), self._arrays()

    def _arrays(self) -> Arrays:
        from handfed.server.releases.publish import weights_sha256

        number, run = self.manifest.release, self.manifest.run
        instead = "tflite and onnx-int8 need the release's file alone"
        if self.state is None or self.state.floating is None:
            raise SettingError(f"release {number} has no float model: run {run}, which made it, is not here; {instead}")
        made_of = (weights_sha256(arrays) for arrays in (self.state.outcome, self.state.calibrated) if arrays)
        if self.manifest.weights_sha256 not in made_of:
            raise SettingError(f"release {number} was not made of what run {run} has on record here; {instead}")
        return self.state.floating


def source_of(database: Database, number: int, releases: Path) -> Source:
    """A release on record.

    Args:
        database: The record.
        number: Of the release.
        releases: The directory of all releases.

    Raises:
        ManifestError: Its files are missing, or not what they should be.
        StorageError: The record cannot be read.
        UnknownReleaseError: There is no such release.
    """
    found = ReleaseRecord(database).get(number)
    directory = releases / found.path
    manifest, model = read_release(directory)
    checkpoint = None if found.run_id is None else RunRecord(database).checkpoint(found.run_id)
    return Source(directory, manifest, model, None if checkpoint is None else RunState.from_bytes(checkpoint))


def _trainer(manifest: Manifest, state: RunState | None) -> Any:  # noqa: ANN401 - imported where it is used
    from handfed.shared.tf.training import Trainer

    pruning = state.model.pruning if state is not None and state.model is not None else 0.0
    return Trainer(
        manifest.recogniser,
        len(manifest.alphabet),
        seed=0,
        height=manifest.geometry.height,
        channels=manifest.geometry.channels,
        pruning=pruning,
    )
