"""The registry: the TUF repository by which devices know which releases are the federation's, and who is to use which.

`handfed.shared.registry` says what it holds. Here:

    keys          private keys, and how they are written
    files         what lies on the disk, and how it changes in one step
    draft         a change in memory: versions, expiry times, signatures
    repository    changes that take force, and changes that wait for a signature from elsewhere
    service       releases, channels, pins, renewal
    custody       who signs what: rotation, revocation, keys that are kept elsewhere
    upkeep        what the serving process does for it by itself
    web           the files, over HTTP
    cli           `handfed keys`

Source: The Update Framework 1.0.34, https://theupdateframework.github.io/specification/latest/; python-tuf 7.
"""
