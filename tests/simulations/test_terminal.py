"""What stands on the terminal when a run is over."""

from __future__ import annotations

import io

from rich.console import Console

from handfed.simulations.decoders import Decoders, Figures
from handfed.simulations.terminal import decoder_table


def test_decoders_stand_in_80_columns_with_nothing_cut() -> None:
    figures = (1.0, 1.0, None, 0.5, 0.125, 123.456)
    rows = tuple(Figures(name, *figures) for name in ("greedy", "beam", "beam, lexicon", "beam, 5-grams"))
    found = Decoders(rows, texts=1_000, held_out=9_000, words=12_345, known_words=0.5)
    console = Console(file=io.StringIO(), width=80)
    console.print(decoder_table(found))
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert "…" not in printed
    assert [" ".join(line.strip("│").split()) for line in printed.splitlines() if "5-grams" in line] == [
        "beam, 5-grams │ 100.00% │ - │ 100.00% │ 50.00% │ 12.50% │ 123.46"
    ]
    assert " ".join(printed.split()).endswith(found.note())
