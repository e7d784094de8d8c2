"""The private store: a school's or clinic's handwriting, on the device where it is trained on and evaluated with.

`store.Store.open` opens it, and `cli` is what a person does with it. It lies in one SQLite file, `samples.db`, which
may be encrypted; nothing in it is ever sent anywhere. Nothing is imported here: the command line starts without NumPy.
"""
