"""The figures that the README and the docs quote: `python -m handfed.simulations.benchmarks [NAME ...]`.

Each benchmark runs the commands that a user would type, as whole processes, and prints a table. Times depend on the
machine; figures that are compared are taken side by side in one run.
"""
