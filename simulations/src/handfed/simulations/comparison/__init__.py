"""Runs side by side: the settings in which they differ, how fast each learnt, and what came of it."""
