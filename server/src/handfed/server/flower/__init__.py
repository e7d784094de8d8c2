"""The Flower side of the server: the `ServerApp`, the guard around Flower's strategies, and the course of a run."""
