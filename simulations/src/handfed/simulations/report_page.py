"""The report of one simulation, from what it was and what it gave."""

from __future__ import annotations


def write_report(*a):
    a[0].parent.mkdir(parents=True, exist_ok=True)
