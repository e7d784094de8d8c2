"""The scheme whose devices' images look different (feature skew): the samples are dealt like `iid`, and styled apart.

Which sample is where is all that a partition says; `partition.device_styles.styled` says how it looks there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from handfed.simulations.partition.sizes import Iid

Kind = Literal["pen", "scanner", "paper"]
KINDS: Final[tuple[Kind, ...]] = ("pen", "scanner", "paper")


@dataclass(frozen=True)
class Feature(Iid):
    """Each device has a pen, a scanner or a paper of its own.

    Source: Li et al. 2022, arXiv:2102.02079, noise-based feature imbalance: samples at random, and then on
    each party noise of its own level. Since samples are dealt at random, the look is all that differs; writers who stay
    together are the scheme `schools:N`.

    Attributes:
        kind: In what devices differ.
    """

    kind: Kind
