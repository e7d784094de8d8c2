"""The web pages of a federation: they use the server's public HTTP API and nothing else of it."""
