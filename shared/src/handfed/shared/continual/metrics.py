"""What was learnt and what was forgotten, of an accuracy matrix.

`matrix[i, j]` is the accuracy on what step j brought, after step i; `untrained[j]` that of the untrained model. A model
that has no output for a class reads it right never.

    average accuracy    mean over j of matrix[last, j]
    backward transfer   mean over j < last of matrix[last, j] - matrix[j, j]; below 0 where something was forgotten
    forward transfer    mean over j > 0 of matrix[j - 1, j] - untrained[j]
    forgetting          mean over j < last of the best that step j ever was before, less matrix[last, j]

Source: Lopez-Paz and Ranzato 2017 (arXiv:1706.08840), equations 2 to 4; forgetting: Chaudhry et al. 2018
(arXiv:1801.10112), equations 2 and 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Retention:
    """The figures of a matrix, as fractions.

    Attributes:
        average_accuracy: After the last step, over all steps alike.
        backward_transfer: Of the last step to those before; 0 where there is one step alone.
        forward_transfer: Of each step to the next; likewise.
        forgetting: Of what was once known; likewise.
    """

    average_accuracy: float
    backward_transfer: float
    forward_transfer: float
    forgetting: float

    @classmethod
    def of(cls, matrix: Matrix, untrained: Matrix | None = None) -> Self:
        """The figures of a matrix.

        Args:
            matrix: float64 (steps, steps), fractions; may hold NaN above the diagonal where `untrained` is None.
            untrained: float64 (steps,), of the untrained model; None for 0 everywhere.
        """
        steps = len(matrix)
        own, last = np.diag(matrix), matrix[-1]
        if steps == 1:
            return cls(float(last[0]), 0.0, 0.0, 0.0)
        before = np.zeros(steps) if untrained is None else untrained
        best = np.array([matrix[step:-1, step].max() for step in range(steps - 1)])
        return cls(
            float(last.mean()),
            float((last[:-1] - own[:-1]).mean()),
            float((np.diag(matrix, 1) - before[1:]).mean()),
            float((best - last[:-1]).mean()),
        )

    def as_json(self) -> dict[str, float]:
        """The figures by name."""
        return asdict(self)


def accuracy_matrix(correct: NDArray[np.bool_], step: NDArray[np.int32]) -> Matrix:
    """The accuracy on what each step brought, after each step: float64 (models, steps).

    Args:
        correct: bool (models, n), which held-out samples each model reads right.
        step: int32 (n,), which step brought each; every one from 0 on has a sample.
    """
    return np.stack([correct[:, step == each].mean(axis=1) for each in range(int(step.max()) + 1)], axis=1)
