"""What a device recognises with, on LiteRT, NumPy and Pillow alone: no TensorFlow, no web framework."""
