"""Whether labels on a device are right: judged without the champion, set aside where they are doubtful, and reviewed.

`judging` says how probably each label is right, `assessment` sets aside and weighs what is in the store, and `review`
gives a person a second look. Nothing is imported here.
"""
