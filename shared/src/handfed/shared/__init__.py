"""What every part of Handfed agrees on, without TensorFlow, Flower or a database.

Errors, the wire schema, the alphabet, image normalisation, data set readers, metrics, run settings, the release
manifest and the command line live here. `handfed.shared.tf` is the one package that imports TensorFlow.
"""
