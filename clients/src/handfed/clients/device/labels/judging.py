"""How probably each label is right, as far as all the others tell.

A correction is a disagreement with the champion by its nature, so what the champion thinks of it proves nothing. What
judges is a small model that is trained here, on the other labels of this device alone.

Rules:
1. Out of fold: a sample is judged by a model that saw none of its writer's samples, nor any that is nearly the same
   picture. The model is trained twice, the second time without what the first found to be wrong.
2. That a person rejected a reading is taken at its word: of a correction, the rejected class is left out of what it may
   say. That alone finds two in three of the errors that are otherwise taken for hard samples.
3. How often, and between which classes, labels are wrong is estimated by confident learning, of imports and of feedback
   apart. By Bayes' rule a label is then right with probability

       p(right) = p(given | x) T(given | given) / sum_j p(j | x) T(given | j)

   where T is the joint of given and true labels, by columns, smoothed towards errors that are uniform.
4. A writer whose feedback has one label far more often than the pictures explain presses the same key: there, T of that
   label is as high as it is frequent.
5. Where most labels would be doubted, the model is at fault, and nothing is.
6. Classes with fewer than `LEAST_OF_CLASS` samples are not judged: nothing here knows them yet.

Source: Northcutt, Jiang and Chuang 2021, "Confident learning" (doi:10.1613/jair.1.12125), equations 1 and 2 and the
calibration of the joint. Its authors' library, cleanlab, brings scikit-learn and pandas along, for which a device has
no room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.labels.features import duplicates, gradients, random_cosines

LEAST_OF_CLASS: Final = 10
LEAST: Final = 100  # samples, below which nothing is judged
NOTHING: Final = -1  # for a class
_FOLDS: Final = 5
_RIDGE: Final = 0.1
_PASSES: Final = 2
_TEMPERATURES: Final = 2.0 ** np.arange(1.0, 5.01, 0.25)
_OUTLIERS: Final = 0.05  # of labels, that the temperature is not fitted to
_SMOOTHING: Final = 5.0  # samples a class
_LEAST_PRESSED: Final = 8  # times the same key
_EVEN: Final = 0.5  # rather right than not
_MOST_IN_A_FOLD: Final = 0.8  # of a class, or of all samples
_PRESSED_BY_CHANCE: Final = 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Characters and what is said of them.

    Attributes:
        images: uint8 (n, side, side), normalised.
        labels: int64 (n,), classes.
        writers: int64 (n,), who wrote each.
        is_feedback: bool (n,), whether it was said of a reading, and not imported.
        rejected: int64 (n,), the class that was read and rejected, or `NOTHING`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    writers: NDArray[np.int64]
    is_feedback: NDArray[np.bool_]
    rejected: NDArray[np.int64]


@dataclass(frozen=True)
class Judgement:
    """What is thought of labels.

    Attributes:
        right: float64 (n,), how probably each is right; 1 where it is not judged.
        likely: int64 (n,), what each says most probably.
        pressed: bool (n,), whether its writer presses that key on whatever picture.
        contradicted: bool (n,), whether the same picture, or nearly, has another label elsewhere.
    """

    right: Floats
    likely: NDArray[np.int64]
    pressed: NDArray[np.bool_]
    contradicted: NDArray[np.bool_]


def judge(labelled: Labelled, *, seed: int = 0) -> Judgement:
    """Judges labels.

    Args:
        labelled: All that is known; at least `LEAST`, or nothing is judged.
        seed: Of the random features.
    """
    count = len(labelled.labels)
    groups = duplicates(labelled.images) if count else np.zeros(0, np.int64)
    contradicted = _contradicted(groups, labelled.labels)
    known, classes = np.unique(labelled.labels, return_inverse=True)
    is_judged = np.bincount(classes, minlength=len(known))[classes] >= LEAST_OF_CLASS
    if count < LEAST or len(np.unique(classes[is_judged])) < 2:  # noqa: PLR2004 - nothing to tell apart
        nothing = np.zeros(count, np.bool_)
        return Judgement(np.ones(count), labelled.labels, nothing, contradicted)
    rejected = np.where(np.isin(labelled.rejected, known), np.searchsorted(known, labelled.rejected), NOTHING)
    features = random_cosines(gradients(labelled.images), seed)
    folds = _folds(groups, labelled.writers, classes)
    right, pressed = np.ones(count), np.zeros(count, np.bool_)
    probabilities = np.zeros((count, len(known)))
    for _ in range(_PASSES):
        trusted = right >= _EVEN
        if 2 * trusted.sum() < count:
            right, pressed = np.ones(count), np.zeros(count, np.bool_)
            break
        probabilities = _out_of_fold(features, classes, folds, trusted)
        probabilities[rejected != NOTHING, rejected[rejected != NOTHING]] = 0
        probabilities /= np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-12)
        right, pressed = _posterior(probabilities, classes, labelled)
        right[~is_judged] = 1.0
    return Judgement(right, known[probabilities.argmax(axis=1)], pressed & is_judged, contradicted)


def _contradicted(groups: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether somebody says otherwise of (nearly) the same picture."""
    differs = np.zeros(len(groups), np.bool_)
    np.logical_or.at(differs, groups, labels != labels[groups])
    return differs[groups]


def _folds(groups: NDArray[np.int64], writers: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each sample: writers, and pictures that are nearly the same, are not parted.

    Where a class, or most of all, is of one fold then, as of few writers or of one without a name, writers are.

    Args:
        groups: As `duplicates` gives them.
        writers: int64 (n,).
        classes: int64 (n,).
    """
    _, of_writer, sizes = np.unique(writers, return_inverse=True, return_counts=True)
    fold_of_writer, loads = np.zeros(len(sizes), np.int64), np.zeros(_FOLDS)
    for writer in np.argsort(-sizes, kind="stable"):
        fold_of_writer[writer] = loads.argmin()
        loads[loads.argmin()] += sizes[writer]
    folds = fold_of_writer[of_writer][groups]
    shares = np.zeros((int(classes.max()) + 1, _FOLDS))
    np.add.at(shares, (classes, folds), 1)
    counts = shares.sum(axis=1)
    common = counts >= LEAST_OF_CLASS
    if (shares[common].max(axis=1, initial=0) > _MOST_IN_A_FOLD * counts[common]).any():
        folds = (np.unique(groups, return_inverse=True)[1] % _FOLDS)[groups]
    return folds


def _out_of_fold(
    features: NDArray[np.float32], classes: NDArray[np.int64], folds: NDArray[np.int64], trusted: NDArray[np.bool_]
) -> Floats:
    """What a ridge regression on the other folds says of each sample: float64 (n, classes), probabilities."""
    wanted = np.zeros((len(classes), int(classes.max()) + 1), np.float32)
    wanted[np.arange(len(classes)), classes] = 1
    # The sums over all folds less those of one are the sums over the others.
    parts = [np.flatnonzero((folds == fold) & trusted) for fold in range(_FOLDS)]
    squares = [features[rows].T @ features[rows] for rows in parts]
    products = [features[rows].T @ wanted[rows] for rows in parts]
    all_squares = np.sum(squares, axis=0) + _RIDGE * np.eye(features.shape[1], dtype=np.float32)
    all_products = np.sum(products, axis=0)
    scores = np.zeros(wanted.shape)
    for fold in range(_FOLDS):
        weights = np.linalg.solve(all_squares - squares[fold], all_products - products[fold])
        scores[folds == fold] = features[folds == fold] @ weights
    return _calibrated(scores, classes, trusted)


def _calibrated(scores: Floats, classes: NDArray[np.int64], trusted: NDArray[np.bool_]) -> Floats:
    """Probabilities of scores, by the temperature under which trusted labels are likeliest."""

    def surprise(scale: float) -> float:
        likely = _softmax(scale * scores[trusted])[np.arange(int(trusted.sum())), classes[trusted]]
        return -float(np.log((1 - _OUTLIERS) * likely + _OUTLIERS / scores.shape[1]).mean())

    return _softmax(min(_TEMPERATURES, key=surprise) * scores)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def joint_of(probabilities: Floats, given: NDArray[np.int64]) -> Floats:
    """How often labels are given, by what is true: float64 (classes, classes), given by rows; counts of samples.

    A sample counts as of the class j of which it is confidently: p(j | x) is at least what samples labelled j have on
    average; of several such classes the likeliest. Rows then are scaled to the counts of given labels.

    Args:
        probabilities: float64 (n, classes), out of fold.
        given: int64 (n,).
    """
    classes = probabilities.shape[1]
    counts = np.bincount(given, minlength=classes)
    own = np.bincount(given, probabilities[np.arange(len(given)), given], minlength=classes)
    thresholds = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    rows = np.flatnonzero(confident.max(axis=1) >= 0)
    found = np.zeros((classes, classes))
    np.add.at(found, (given[rows], confident[rows].argmax(axis=1)), 1)
    sums = found.sum(axis=1, keepdims=True)
    return np.where(sums > 0, found / np.maximum(sums, 1) * counts[:, None], np.diag(counts))


def _posterior(
    probabilities: Floats, classes: NDArray[np.int64], labelled: Labelled
) -> tuple[Floats, NDArray[np.bool_]]:
    """How probably each label is right, and whether it is a key that is pressed on whatever picture."""
    right, pressed = np.ones(len(classes)), np.zeros(len(classes), np.bool_)
    for group in (np.flatnonzero(labelled.is_feedback), np.flatnonzero(~labelled.is_feedback)):
        if len(group):
            transition = _transition(joint_of(probabilities[group], classes[group]))
            right[group] = _right(probabilities[group], classes[group], transition)
    for rows, often in _same_keys(probabilities, classes, labelled):
        own = probabilities[rows, classes[rows]]
        right[rows] = np.minimum(right[rows], own / (own + often * (1 - own)))
        pressed[rows] = True
    return right, pressed


def _transition(joint: Floats) -> Floats:
    """T: the probability of a given label (rows) by the true one (columns), smoothed."""
    classes, total = len(joint), joint.sum()
    wrong = max(1 - np.trace(joint) / total, 1 / total)
    uniform = np.full(joint.shape, wrong / (classes - 1))
    np.fill_diagonal(uniform, 1 - wrong)
    found: Floats = (joint + _SMOOTHING * classes * uniform) / (joint.sum(axis=0) + _SMOOTHING * classes)
    return found


def _right(probabilities: Floats, given: NDArray[np.int64], transition: Floats) -> Floats:
    """Rule 3."""
    own = probabilities[np.arange(len(given)), given] * transition[given, given]
    found: Floats = own / np.maximum((probabilities * transition[given]).sum(axis=1), 1e-12)
    return found


def _same_keys(
    probabilities: Floats, classes: NDArray[np.int64], labelled: Labelled
) -> list[tuple[NDArray[np.int64], float]]:
    """Feedback with the label that its writer presses too often: the rows, and how often among that writer's."""
    found = []
    for writer in np.unique(labelled.writers[labelled.is_feedback]):
        rows = np.flatnonzero(labelled.is_feedback & (labelled.writers == writer))
        key = np.bincount(classes[rows]).argmax()
        times = int((classes[rows] == key).sum())
        if times >= _LEAST_PRESSED and _tail(probabilities[rows, key], times) < _PRESSED_BY_CHANCE:
            found.append((rows[classes[rows] == key], times / len(rows)))
    return found


def _tail(chances: Floats, times: int) -> float:
    """An upper bound on the probability that so many of independent events happen, or more (Chernoff's)."""
    expected, count = float(chances.sum()), len(chances)
    share, mean = times / count, expected / count
    if share <= mean:
        return 1.0
    mean = max(mean, 1e-12)
    divergence = share * np.log(share / mean) + ((1 - share) * np.log((1 - share) / (1 - mean)) if share < 1 else 0.0)
    return float(np.exp(-count * divergence))
