"""The dashboard's pages, tried out: over an example record, in a real browser, as pictures and under load."""
