"""The data sets that `handfed data list` names.

They come within an installed package, so that the main job runs on real handwriting without a download.
"""
