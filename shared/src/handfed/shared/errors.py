"""Every error that Handfed raises on purpose.

    HandfedError                    exit status 1: something failed that was not the caller's doing
    ├── UsageError                  exit status 2: wrong use, or input that cannot be used
    │   ├── SettingError            a setting is unknown or out of its range
    │   ├── DatasetError            a data set, named by file and row
    │   ├── ImageError              an image that cannot be read or holds no ink
    │   ├── InvitationError         an invitation's code that is none, or was mistyped
    │   ├── NotFoundError           what is named does not exist, or not for whoever asks
    │   ├── WriterError             a writer whom a device's store does not know, or who is to stay forgotten
    │   └── ManifestError           a release, manifest or model file that is not what it should be
    │       └── SelfTestError       a model gives other logits on this processor than its manifest says
    ├── MissingExtraError           an optional dependency is not installed (exit status 2)
    ├── StorageError                the database or a directory cannot be read or written
    │   ├── LockedStoreError        a device's store is encrypted, and the key to it is missing or wrong
    │   └── DamagedStoreError       a device's store holds something that was not written by Handfed
    ├── CertificateError            a certificate or key cannot be trusted or used
    ├── EnrolmentError              a device cannot join its federation, or change its key
    ├── UpdateError                 a device cannot pull a release, or must not use it; the one before goes on
    ├── AccessError                 somebody may not do what they ask for
    │   ├── AuthenticationError     nobody knows who asks
    │   ├── ForbiddenError          who asks is known and may not
    │   └── TooManyAttemptsError    too many attempts from one address
    ├── ConflictError               what is asked for contradicts how things are
    ├── RunFailedError              a federated run that cannot go on
    │   └── QuorumError             too few devices returned a usable update
    └── ReleaseRefusedError         a model that failed a check before publication, or before its export

A message says what was wrong, where, and what to do.
"""

from __future__ import annotations


class HandfedError(Exception):
    """Root of the tree; `exit_status` is what the command line returns for it."""

    exit_status = 1


class UsageError(HandfedError):
    """Wrong use of a command, or input that cannot be used."""

    exit_status = 2


class SettingError(UsageError):
    """A setting is unknown, of the wrong type, or out of its range."""


class DatasetError(UsageError):
    """A data set cannot be used; the message names the file and, where there is one, the row."""


class ImageError(UsageError):
    """An image cannot be read, or holds no ink to recognise."""


class InvitationError(UsageError):
    """The code of an invitation is none, or was not copied as it was printed."""


class NotFoundError(UsageError):
    """What is named does not exist; what somebody may not see does not exist for them."""


class WriterError(UsageError):
    """A device's store does not know a writer, or is to keep one forgotten; the message is for that device only."""


class ManifestError(UsageError):
    """A release directory, a manifest or a model file is not what it should be."""


class SelfTestError(ManifestError):
    """A model gives other logits on this processor than its manifest says."""


class MissingExtraError(HandfedError):
    """A command needs an optional dependency that is not installed here."""

    exit_status = 2

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed here: install it with pip install '{extra}'")


class StorageError(HandfedError):
    """The database or a data directory cannot be read or written."""


class LockedStoreError(StorageError):
    """A device's store is encrypted, and its passphrase or key is missing or wrong."""


class DamagedStoreError(StorageError):
    """A device's store was damaged or tampered with."""


class CertificateError(HandfedError):
    """A certificate or a private key cannot be trusted, or cannot be used."""


class EnrolmentError(HandfedError):
    """A device cannot join its federation, or change its key; what it had before holds."""


class UpdateError(HandfedError):
    """A device cannot pull a release, or must not use it; the one that it has goes on."""


class AccessError(HandfedError):
    """Somebody may not do what they ask for."""


class AuthenticationError(AccessError):
    """A token is missing, unknown, expired or revoked."""


class ForbiddenError(AccessError):
    """The role or the scope of whoever asks does not reach what they ask for."""


class TooManyAttemptsError(AccessError):
    """Too many attempts came from one address; `retry_after_s` is how long to wait, in seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ConflictError(HandfedError):
    """What is asked for contradicts how things are: a name is taken, or a state does not allow it."""


class RunFailedError(HandfedError):
    """A federated run cannot go on; what it did so far is on record."""


class QuorumError(RunFailedError):
    """Too few devices returned a usable update in a round."""


class ReleaseRefusedError(HandfedError):
    """A converted model failed a check, so nothing was published, or exported."""
