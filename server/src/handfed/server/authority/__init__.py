"""A federation's private certificate authority, and the certificate of its server.

certificates    pure functions over bytes: make, read, check
files           where they lie in the data directory, and how the server's is renewed
"""
