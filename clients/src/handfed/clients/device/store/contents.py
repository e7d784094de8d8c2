"""How much is in the store, for the operator's own terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from handfed.clients.device.store.session import FEEDBACK_IMPORT, REQUIRE_CONSENT, Session, setting
from handfed.clients.device.store.split import JUDGED_WITH, TRAINED_ON

_UNUSABLE: Final = "w.consent = 'withdrawn' OR (w.consent = 'unknown' AND ?)"  # of writers `w`, where it is required


@dataclass(frozen=True)
class Kind:
    """The samples of one kind and height.

    Attributes:
        kind: characters, words or lines.
        height: In pixels.
        classes: How often each label occurs; of texts empty.
        training: Samples that are trained on, where consent allows it.
        held_out: Samples that are only evaluated with.
        feedback: Of `training`, those that people corrected or confirmed of their own accord.
        picked: Of both, those that the device picked at random.
        set_apart: Of writers who are held out, corrections, and what was trained on before they were named: neither
            trained on nor evaluated with.
        doubted: Samples that wait for a second look, and are not trained on.
        unusable: Of both sides, those whose writers' consent does not allow it.
    """

    kind: str
    height: int
    classes: dict[str, int]
    training: int
    held_out: int
    feedback: int
    picked: int
    set_apart: int
    doubted: int
    unusable: int


@dataclass(frozen=True)
class Import:
    """An import: its number, when it was, what the person called it, the task, what was new and what is left of it."""

    number: int
    at: str
    source: str | None
    task: str
    count: int
    left: int


@dataclass(frozen=True)
class Contents:
    """What is in the store.

    Attributes:
        kinds: By kind and height.
        imports: By number.
        writers: Who have names, and how many there are of each consent.
        nameless: Samples of unknown writers.
        forgotten: Writers who are to stay forgotten.
        require_consent: Whether only handwriting with consent is used.
        unlabelled: Pictures without a label.
        unlabelled_unusable: Of these, those whose writers' consent does not allow it.
    """

    kinds: tuple[Kind, ...]
    imports: tuple[Import, ...]
    writers: dict[str, int]
    nameless: int
    forgotten: int
    require_consent: bool
    unlabelled: int
    unlabelled_unusable: int


def contents(session: Session) -> Contents:
    """Counts what is there.

    Raises:
        DamagedStoreError: A label is not as it was written.
    """
    run = session.connection.execute
    require = bool(setting(session.connection, REQUIRE_CONSENT))
    kinds = run(
        f"SELECT s.kind, s.height, sum({TRAINED_ON}), sum({JUDGED_WITH}),"  # noqa: S608 - words of ours
        f" sum({TRAINED_ON} AND s.source = 'feedback'),"
        f" sum(s.source = 'pick' AND (({TRAINED_ON}) OR ({JUDGED_WITH}))),"
        f" sum(s.held_out AND NOT ({JUDGED_WITH})), sum(NOT s.held_out AND s.doubt IS NOT NULL),"
        f" sum({_UNUSABLE})"
        " FROM samples s JOIN writers w ON w.id = s.writer GROUP BY s.kind, s.height ORDER BY s.kind, s.height",
        (require,),
    ).fetchall()
    imports = run(
        "SELECT id, at, source, task, count, (SELECT count(*) FROM samples WHERE import = i.id)"
        " + (SELECT count(*) FROM unlabelled WHERE import = i.id) FROM imports i WHERE id <> ? ORDER BY id",
        (FEEDBACK_IMPORT,),
    )
    (nameless,) = run(
        "SELECT count(*) FROM samples s JOIN writers w ON w.id = s.writer WHERE w.name IS NULL"
    ).fetchone()
    unlabelled, unusable = run(
        f"SELECT count(*), coalesce(sum({_UNUSABLE}), 0)"  # noqa: S608 - words of ours
        " FROM unlabelled u JOIN writers w ON w.id = u.writer",
        (require,),
    ).fetchone()
    (forgotten,) = run("SELECT count(*) FROM forgotten").fetchone()
    return Contents(
        tuple(Kind(kind, height, _classes(session, kind, height), *counts) for kind, height, *counts in kinds),
        tuple(
            Import(row, at, None if source is None else session.unsealed("imports", "source", row, source), *rest)
            for row, at, source, *rest in imports
        ),
        dict(run("SELECT consent, count(*) FROM writers WHERE name IS NOT NULL GROUP BY consent").fetchall()),
        nameless,
        forgotten,
        require,
        unlabelled,
        unusable,
    )


def _classes(session: Session, kind: str, height: int) -> dict[str, int]:
    if kind != "characters":
        return {}
    rows = session.connection.execute("SELECT id, label FROM samples WHERE kind = ? AND height = ?", (kind, height))
    return dict(sorted(Counter(session.unsealed("samples", "label", row, label) for row, label in rows).items()))
