"""The report of a simulation: one HTML page that needs no network and no other file.

A page is for the researcher who ran the simulation. It says what was reached against what was aimed at, how it was
reached and how it was measured. It shows handwriting, so it stays where the handwriting may be.
"""

from handfed.simulations.report.contents import Report
from handfed.simulations.report.page import render

__all__ = ["Report", "render"]
