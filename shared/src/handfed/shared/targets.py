"""What a recogniser for devices is aimed at; reports and closing tables show every figure beside its target."""

from typing import Final

ACCURACY: Final = 0.99  # fraction of held-out images read right, at least
LATENCY_MS: Final = 50.0  # to read one image, at most
SIZE_BYTES: Final = 2_000_000  # of the model file, at most
