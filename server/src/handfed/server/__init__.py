"""The server: aggregation behind a guard (`flower`), the record of runs and releases, and publication."""
