"""What a recogniser for devices is aimed at; reports and closing tables show every figure beside its target."""

from typing import Final

ACCURACY: Final = 0.99  # fraction of held-out characters read right, at least
ACCURACY_OF_TEXTS: Final = 0.85  # 1 less the character error rate of words and lines, at least
LATENCY_MS: Final = 50.0  # to read one image, at most
SIZE_BYTES: Final = 2_000_000  # of the model file, at most
