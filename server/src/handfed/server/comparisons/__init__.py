"""Two releases on two groups of devices at once, and what people and held-out handwriting say of each."""
