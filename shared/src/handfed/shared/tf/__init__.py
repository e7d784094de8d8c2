"""The one place that imports TensorFlow: recognisers, losses, training, quantization and export.

It uses Keras 2 (`tf_keras`), because tensorflow-model-optimization works with no other.
"""
