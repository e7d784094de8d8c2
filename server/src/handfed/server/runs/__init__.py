"""The record of runs: settings, rounds, what each device did, and which updates were rejected."""
