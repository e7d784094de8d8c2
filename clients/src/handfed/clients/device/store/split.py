"""Which handwriting is trained on and which is held out, fixed for ever by a keyed hash.

Rules:
1. A writer is on one side with all that he or she ever writes: a recogniser is judged by writers whom it has not seen.
2. The side follows from the writer's name and the store's key alone. Neither the order of imports nor what else is
   there has a say; who was forgotten and is imported again comes to the same side, also
   to one that an import had said (`sides` of `handfed.clients.device.store.schema`).
3. Where writers are unknown, it follows from the picture.
4. Feedback by a known writer is on that writer's side. By an unknown one, what the device picked at random is held out,
   and what somebody corrected or confirmed of his or her own accord is trained on.
5. What is held out is judged with only where it was chosen before any reading of it was known: imported, or picked at
   random, whatever the person then said. A correction of one's own accord says where the champion errs; judged by such
   alone, whatever differs from the champion would win. So those of a writer who is held out are kept and not used
   (`JUDGED_WITH`).
   Where more is said of the same picture, with another label, that is on the side of what was said first: no picture is
   both trained on and judged with.
6. What came in without a name goes to the side of its writer, once that one is named; what was trained on until then
   is used no more where the writer is held out (`JUDGED_WITH`).
7. As each writer falls on a side alone, a store of a few writers may have nobody held out, or everybody. So whoever
   imports may say on which side writers come who are new.
"""

from __future__ import annotations

from typing import Final

from handfed.clients.device.store.sealing import Secrets

HELD_OUT: Final = 0.2  # of writers, in the long run

# Of samples `s`, in SQL.
TRAINED_ON: Final = "NOT s.held_out AND s.doubt IS NULL"
JUDGED_WITH: Final = "s.held_out AND s.source <> 'feedback' AND s.id NOT IN (SELECT sample FROM trained)"


def writer_is_held_out(secrets: Secrets, name: str) -> bool:
    """Whether everything of the writer of that name is held out."""
    return _falls_below(secrets.hash("split-writer", name.encode()))


def image_is_held_out(secrets: Secrets, image: bytes) -> bool:
    """Whether a picture by an unknown writer is held out."""
    return _falls_below(secrets.hash("split-image", image))


def feedback_is_held_out(writers_side: bool | None, *, picked: bool) -> bool:
    """Whether feedback is held out.

    Args:
        writers_side: Whether its writer is; None where the writer is unknown.
        picked: Whether the device picked the reading at random.
    """
    return picked if writers_side is None else writers_side


def _falls_below(digest: bytes) -> bool:
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64
