"""The figures that the README and the docs quote: `python -m handfed.simulations.benchmarks [NAME ...]`.

Each benchmark prints tables. Where a user would wait for a command it runs that command, as a whole process; what is
measured inside a process is measured in a fresh one. Times depend on the machine, so figures that are compared are
taken side by side in one run, and it should have nothing else to do.
"""
