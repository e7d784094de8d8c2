"""Which device holds which sample, and which samples no device trains on.

| scheme | what each device gets | source |
|---|---|---|
| `iid` | an equal share of everything, at random | McMahan et al. 2017, arXiv:1602.05629, section 3 |
| `dirichlet:ALPHA` | of each class a share drawn from Dirichlet(ALPHA) | Yurochkin et al. 2019, arXiv:1905.12022 |
| `shards:K` | K classes, in K shards | McMahan et al. 2017, section 3; here no shard mixes classes |
| `quantity:BETA` | the same mix of classes, of sizes drawn from Dirichlet(BETA) | Li et al. 2022, arXiv:2102.02079 |
| `writer` | what one writer wrote: each writer is a device | Caldas et al. 2018, arXiv:1812.01097 (FEMNIST) |
| `schools:N` | what a group of writers wrote: N devices | Li et al. 2022, real-world feature imbalance |
| `feature:STYLE` | as `iid`, with a pen, scanner or paper of its own | after Li et al. 2022, noise-based imbalance |

A small ALPHA gives each class to a few devices, a large one comes close to `iid`; Hsu et al. 2019, arXiv:1909.06335,
measure what that does to federated averaging (they draw each device's classes instead of each class's devices).

Rules:
1. Every sample is on exactly one device, held out or not. A device evaluates on its held-out samples.
2. Where writers are known, whole writers are held out, so that the figures speak of new people; otherwise images,
   the same fraction of every class.
3. What is held out follows from the data set, the fraction and the seed alone, so that schemes and numbers of devices
   are compared on the same samples. `feature` changes how they look, not which they are.
4. The shares of a class are the same for what is trained on and what is held out: a device is evaluated on the mix of
   classes that it learns. Where whole writers stay together, both are spread as evenly as writers allow.
5. A device may hold little or nothing: under `dirichlet` and `quantity` by chance, under `writer` because its writer is
   held out and it only evaluates. A class that only held-out writers wrote is not trained on.

Why these are not the partitioners of Flower Datasets: `docs/decisions/0006-partitions.md`.
"""

from handfed.simulations.partition.parsing import SCHEMES, parse_scheme
from handfed.simulations.partition.partition import MOST_HELD_OUT, Partition, split
from handfed.simulations.partition.scheme import Scheme

__all__ = ["MOST_HELD_OUT", "SCHEMES", "Partition", "Scheme", "parse_scheme", "split"]
