"""What a device does in a federation: it trains on its own handwriting and sends arrays and counts, nothing else."""
