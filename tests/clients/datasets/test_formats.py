"""One data set in every format of published files: the same images, the same characters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray
from scipy.io import savemat  # type: ignore[import-untyped]

from handfed.clients.datasets import read
from handfed.clients.datasets.leaf import CHARACTERS
from handfed.shared.datasets import Dataset

# Ink within a margin of paper, and always some: a pixel that is fully black.
INK = nps.arrays(np.uint8, (6, 5), fill=st.just(0)).map(lambda ink: np.maximum(ink, np.eye(6, 5, dtype=np.uint8) * 255))
SAMPLES = st.lists(
    st.tuples(INK, st.integers(0, 18), st.integers(0, 18), st.integers(0, 61), st.integers(0, 3)),
    min_size=2,
    max_size=6,
).filter(lambda samples: len({label for *_, label, _ in samples}) > 1)

Samples = list[tuple[NDArray[np.uint8], int, int, int, int]]


def arrays(samples: Samples) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Light ink on dark paper (n, 28, 28), labels in `CHARACTERS` (n,) and writers (n,); writers come in order."""
    samples = sorted(samples, key=lambda sample: sample[-1])
    images = np.zeros((len(samples), 28, 28), np.uint8)
    for image, (ink, row, column, _, _) in zip(images, samples, strict=True):
        image[2 + row : 8 + row, 2 + column : 7 + column] = ink
    return images, np.array([label for *_, label, _ in samples]), np.array([writer for *_, writer in samples])


def as_npz(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], writers: NDArray[np.int64]) -> str:
    occurring, positions = np.unique(labels, return_inverse=True)
    names = np.array([CHARACTERS[label] for label in occurring])
    np.savez(folder / "a.npz", allow_pickle=False, x=images, y=positions, class_names=names, writer=writers)
    return str(folder / "a.npz")


def as_idx(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    """As EMNIST: column by column, with the characters in a mapping."""
    folder = folder / "idx"
    folder.mkdir(exist_ok=True)
    content = images.transpose(0, 2, 1).tobytes()
    sides = b"".join(side.to_bytes(4, "big") for side in images.shape)
    (folder / "emnist-a-train-images-idx3-ubyte").write_bytes(b"\x00\x00\x08\x03" + sides + content)
    (folder / "emnist-a-train-labels-idx1-ubyte").write_bytes(
        b"\x00\x00\x08\x01" + len(labels).to_bytes(4, "big") + bytes(labels.tolist())
    )
    rows = "".join(f"{label} {ord(CHARACTERS[label])}\n" for label in np.unique(labels))
    (folder / "emnist-a-mapping.txt").write_text(rows, encoding="ascii")
    return str(folder)


def as_mat(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], writers: NDArray[np.int64]) -> str:
    train = {
        "images": images.transpose(0, 2, 1).reshape(-1, 784),
        "labels": labels[:, None].astype(np.float64),
        "writers": writers[:, None],
    }
    mapping = np.array([[label, ord(CHARACTERS[label])] for label in np.unique(labels)])
    savemat(folder / "a.mat", {"dataset": {"train": train, "mapping": mapping}}, do_compression=True)
    return str(folder / "a.mat")


def as_leaf(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], writers: NDArray[np.int64]) -> str:
    """Dark on light, as LEAF has it."""
    paper = (255 - images).reshape(-1, 784) / 255
    users = {
        f"f{writer:04}": {"x": paper[writers == writer].tolist(), "y": labels[writers == writer].tolist()}
        for writer in np.unique(writers)
    }
    content = {"users": list(users), "num_samples": [len(each["y"]) for each in users.values()], "user_data": users}
    (folder / "a.json").write_text(json.dumps(content), encoding="utf-8")
    return str(folder / "a.json")


def characters(dataset: Dataset) -> list[str]:
    return [dataset.alphabet.names[label] for label in dataset.labels]


@settings(max_examples=40)
@given(SAMPLES)
def test_a_data_set_is_the_same_in_every_format(tmp_path: Path, samples: Samples) -> None:
    images, labels, writers = arrays(samples)
    npz = read(as_npz(tmp_path, images, labels, writers))
    assert characters(npz) == [CHARACTERS[label] for label in labels]
    idx = read(as_idx(tmp_path, images, labels))
    mat = read(as_mat(tmp_path, images, labels, writers))
    leaf = read(as_leaf(tmp_path, images, labels, writers))
    for other in (idx, mat, leaf):
        assert np.array_equal(other.images, npz.images)
        assert other.alphabet == npz.alphabet
        assert np.array_equal(other.labels, npz.labels)
    assert idx.writers is None
    assert npz.writers is not None
    for other in (mat, leaf):
        assert other.writers is not None
        assert np.array_equal(other.writers, npz.writers)
