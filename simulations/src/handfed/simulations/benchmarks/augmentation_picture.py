"""What augmentation looks like, and what it costs: `docs/pictures/augmentation.png` and a table of times.

Run in the checkout: `python -m handfed.simulations.benchmarks.augmentation_picture`. A row of the picture is an effect,
a column a digit of MNIST; ink is drawn dark. The same libraries give the same picture.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from handfed.shared.errors import HandfedError
from handfed.shared.geometry import SIDE
from handfed.simulations.datasets.mnist5k import MNIST5K

if TYPE_CHECKING:  # importing it starts TensorFlow
    from handfed.shared.tf.augment import Augmentation

PICTURE: Final = Path("docs/pictures/augmentation.png")
DIGITS: Final = 10
ZOOM: Final = 3  # pixels of the picture, of a pixel of an image
GAP: Final = 6  # pixels between images
TITLES: Final = 176  # pixels, width of the column of titles
BATCH: Final = 16  # images, as devices train by default
STEPS: Final = 300  # batches that are timed at once
REPETITIONS: Final = 9  # of which the fastest counts: other work on the machine only adds


def run(directory: Path, console: Console) -> None:  # noqa: ARG001 - as every benchmark
    """Draws the picture and prints the table.

    Raises:
        HandfedError: There is no `docs/pictures` here.
    """
    from handfed.shared.tf.runtime import configure

    if not PICTURE.parent.is_dir():
        raise HandfedError(f"there is no folder {PICTURE.parent} to draw into; change to the checkout of Handfed")
    configure(1)
    draw().save(PICTURE, optimize=True)
    console.print(f"Drew {PICTURE}.")
    table = Table("effect", "us an image", caption=f"Batches of {BATCH} on one thread, fastest of {REPETITIONS}.")
    for name, augmentation in effects().items():
        if augmentation:
            table.add_row(name, f"{cost(augmentation) * 1e6:.1f}")
    console.print(table)


def effects() -> dict[str, Augmentation]:
    """Each effect by itself, as strong as a person can still read, and all of them together, half as much."""
    from handfed.shared.tf.augment import Augmentation

    none = Augmentation().times(0)
    return {
        "as written": none,
        "deformed": Augmentation(),
        "stroke-width 1": replace(none, stroke_width=1.0),
        "backgrounds 1": replace(none, backgrounds=1.0),
        "noise 0.4": replace(none, noise=0.4),
        "salt-and-pepper 0.15": replace(none, salt_and_pepper=0.15),
        "polarity 0.5": replace(none, polarity=0.5),
        "all, half as much": Augmentation(
            stroke_width=0.5, backgrounds=0.5, noise=0.2, salt_and_pepper=0.075, polarity=0.25
        ).times(0.5),
    }


def draw() -> Image.Image:
    """The picture: rows of effects, columns of digits, each row with the settings that made it."""
    from handfed.shared.tf.augment import augment

    digits = _digits()
    step = SIDE * ZOOM + GAP
    rows = effects()
    picture = Image.new("L", (TITLES + DIGITS * step, len(rows) * step + GAP), 255)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=16)
    for row, (name, augmentation) in enumerate(rows.items()):
        top = GAP + row * step
        pen.text((GAP, top + SIDE * ZOOM // 2), name, fill=0, font=font, anchor="lm")
        augmented = np.asarray(augment(digits, np.array([row, 2], np.int32), augmentation))
        for column, image in enumerate(np.rint(255 - 255 * augmented).astype(np.uint8)):
            tile = Image.fromarray(np.kron(image, np.ones((ZOOM, ZOOM), np.uint8)))
            picture.paste(tile, (TITLES + column * step, top))
    return picture


def cost(augmentation: Augmentation) -> float:
    """Seconds an image that augmentation takes within a compiled training loop."""
    from handfed.shared.tf.augment import augment
    from handfed.shared.tf.runtime import tf

    batch = tf.constant(np.resize(_digits(), (BATCH, SIDE, SIDE)))

    def loop() -> Any:  # noqa: ANN401 - a tensor
        def step(index: Any, total: Any) -> tuple[Any, Any]:  # noqa: ANN401
            return index + 1, total + augment(batch, tf.stack([index, 1]), augmentation)[:, 0, 0]

        return tf.while_loop(lambda index, _: index < STEPS, step, (0, tf.zeros(BATCH)))[1]

    steps = tf.function(loop, autograph=False)
    steps()  # compiles
    times = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        steps()
        times.append(time.perf_counter() - started)
    return min(times) / STEPS / BATCH


def _digits() -> NDArray[np.float32]:
    """A digit of each class, float32 (10, 28, 28)."""
    dataset = MNIST5K.load()
    first = np.unique(dataset.labels, return_index=True)[1]
    return dataset.images[first].astype(np.float32) / np.float32(255)


def main() -> int:
    """As the benchmark, by itself."""
    with tempfile.TemporaryDirectory() as directory:
        run(Path(directory), Console(width=110))
    return 0


if __name__ == "__main__":
    sys.exit(main())
