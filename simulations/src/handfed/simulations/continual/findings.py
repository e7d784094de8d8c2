"""What came of learning in steps, as values, and what follows from it.

Every model of a sequence reads everything that is held out; a class that it does not know yet it reads wrong. All
figures follow from which of these readings were right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from handfed.shared.continual.metrics import Matrix, Retention, accuracy_matrix
from handfed.shared.metrics import Difference, paired_difference

Correct = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Learnt:
    """What one method learnt.

    Attributes:
        method: Its name.
        runs: Number of the run of each step.
        correct: bool (steps, n), what of the held-out samples the model of each step reads right.
        untrained: bool (steps, n), likewise of the untrained model of each step.
        step: int32 (n,), which step brought each of them.
        writer: int32 (n,), who wrote each; None where that is unknown.
    """

    method: str
    runs: tuple[int, ...]
    correct: Correct
    untrained: Correct
    step: NDArray[np.int32]
    writer: NDArray[np.int32] | None

    @cached_property
    def matrix(self) -> Matrix:
        """float64 (steps, steps): accuracy on what step j brought, after step i."""
        return accuracy_matrix(self.correct, self.step)

    @cached_property
    def retention(self) -> Retention:
        """The figures of the matrix."""
        untrained = accuracy_matrix(self.untrained, self.step)
        # What a step brings is read by the untrained model of the step before, as the matrix has it.
        return Retention.of(self.matrix, np.array([0.0, *np.diag(untrained, 1)]))

    def so_far(self) -> list[float]:
        """The mean accuracy over the steps so far, after each."""
        return [float(self.matrix[each, : each + 1].mean()) for each in range(len(self.matrix))]

    def kept(self, step: int) -> Difference:
        """How much better what a step brought is read in the end than right after it; below 0: forgotten."""
        return _difference(self.correct[-1], self.correct[step], self.step == step)

    def against(self, other: Learnt, step: int) -> Difference:
        """How much better than by another method what a step brought is read in the end."""
        return _difference(self.correct[-1], other.correct[-1], self.step == step)

    def writers(self) -> dict[str, float] | None:
        """How writers fare: accuracy in the end of the median writer and of the worst tenth, and their forgetting.

        A writer has forgotten, of each step but the last, what the model once read best of his or her own handwriting,
        less what it reads in the end; the mean over these steps counts. None where writers are unknown.
        """
        if self.writer is None:
            return None
        known = [self.writer == each for each in np.unique(self.writer)]
        accuracies = np.sort([float(self.correct[-1, rows].mean()) for rows in known])
        lost = np.sort([each for rows in known if (each := self._forgotten(rows)) is not None])
        worst = max(1, round(len(accuracies) / 10))
        return {
            "writers": len(known),
            "accuracy_median": float(np.median(accuracies)),
            "accuracy_worst_decile": float(accuracies[:worst].mean()),
            "forgetting_median": float(np.median(lost)) if len(lost) else 0.0,
            "forgetting_worst_decile": float(lost[-max(1, round(len(lost) / 10)) :].mean()) if len(lost) else 0.0,
        }

    def _forgotten(self, rows: Correct) -> float | None:
        """What was forgotten of some samples; None where all are of the last step."""
        of = [rows & (self.step == each) for each in np.unique(self.step[rows]) if each < len(self.correct) - 1]
        found = [
            max(self.correct[after, part].mean() for after in range(int(self.step[part][0]), len(self.correct) - 1))
            - self.correct[-1, part].mean()
            for part in of
        ]
        return float(np.mean(found)) if found else None


def _difference(first: Correct, second: Correct, rows: Correct) -> Difference:
    """First minus second, on these samples."""
    first, second = first[rows], second[rows]
    return paired_difference(int((first & ~second).sum()), int((second & ~first).sum()), len(first))


@dataclass(frozen=True, eq=False)
class Findings:
    """What all methods learnt.

    Attributes:
        steps: What the steps are called.
        learnt: By method.
        published: Name of the method whose last model was published.
        release: Its release.
        release_path: Where that is.
        int8: bool (n,), what of the held-out samples the published file reads right.
    """

    steps: tuple[str, ...]
    learnt: tuple[Learnt, ...]
    published: str
    release: int
    release_path: str
    int8: Correct

    @property
    def joint(self) -> Learnt | None:
        """The ceiling; None where it was not asked for."""
        return next((each for each in self.learnt if each.method == "joint"), None)

    @property
    def accuracy_int8(self) -> float:
        """Of the published file, over all steps alike."""
        return float(accuracy_matrix(self.int8[None], self.learnt[0].step)[0].mean())

    def as_json(self) -> dict[str, object]:
        """Everything, as `handfed simulate --json` prints it; rates are fractions."""
        return {
            "steps": list(self.steps),
            "methods": [self._method(each) for each in self.learnt],
            "published": self.published,
            "release": self.release,
            "model_path": self.release_path,
            "average_accuracy_int8": self.accuracy_int8,
        }

    def _method(self, learnt: Learnt) -> dict[str, object]:
        last = range(len(self.steps))
        return {
            "method": learnt.method,
            "runs": list(learnt.runs),
            **learnt.retention.as_json(),
            "matrix": [[round(float(value), 6) for value in row] for row in learnt.matrix],
            "kept": [learnt.kept(each).as_json() for each in last],
            "against_joint": None
            if self.joint is None
            else [learnt.against(self.joint, each).as_json() for each in last],
            "writers": learnt.writers(),
        }
