"""The data sets that `handfed data list` names.

`mnist5k` comes within an installed package, so that the main job runs on real handwriting without a download. `mnist`
and `femnist` are downloaded when they are first used; listing them downloads nothing.
"""
