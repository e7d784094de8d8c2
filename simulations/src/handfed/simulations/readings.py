"""What a simulation sees of held-out handwriting, which no server ever does: each sample, as two models read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.shared.calibration import Reliability
from handfed.shared.metrics import Spread, spread
from handfed.shared.transcripts import Transcripts


@dataclass(frozen=True)
class Readings:
    """Held-out samples, read by the published INT8 file and by the float model that it came from.

    Attributes:
        rows: int64 (n,), rows of the data set.
        int8: What was written, beside what INT8 reads.
        floating: The same with what the float model reads.
        confidence: float64 (n,), how probable what INT8 reads is, as it says, calibrated.
        device: int32 (n,), whose sample it is, counted from 0.
        writer: int32 (n,), who wrote it; None where writers are unknown.
    """

    rows: NDArray[np.int64]
    int8: Transcripts
    floating: Transcripts
    confidence: NDArray[np.float64]
    device: NDArray[np.int32]
    writer: NDArray[np.int32] | None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def reliability(self) -> Reliability:
        """Confidences of INT8 beside how often they come true."""
        return Reliability.of(self.confidence, self.int8.correct)

    def by(self, group: NDArray[np.int32]) -> Spread:
        """How the accuracy of INT8 differs between the devices or writers of the samples, of which there is one."""
        return spread(self.int8.errors, self.int8.characters, group)
