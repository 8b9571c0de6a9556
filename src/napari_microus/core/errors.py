"""Errors that a user can act on.

::

    MicroUSError
    ├── InputError (also ValueError)      an array, a mask or a file is not usable
    ├── ConfigError (also ValueError)     a setting or a configuration file is wrong
    ├── CheckpointError                   weights are corrupt, foreign or mismatched
    ├── OutputError (also OSError)        a result cannot be written
    ├── LongRunError                      a run would take hours and nobody said yes
    ├── DeviceError (also RuntimeError)   a device is missing or out of memory
    └── DownloadError (also OSError)      a file cannot be fetched or is not the one

Every message is one sentence of the form ``<what must hold>; got <value>.``,
followed by what to do: that is for who calls the function. A person at a dock or the
command line reads ``error.plain``: the same in everyday words, where somebody has
written them, see `plain_words`. The command line exits with status 2.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from typing import Self


class MicroUSError(Exception):
    """Base of all errors raised on purpose by this package.

    Parameters
    ----------
    message : str
        What must hold, what was got, what to do.
    plain : str
        The same for a person who has never seen this program's code; by default the
        message itself.
    """

    def __init__(self, *message: object, plain: str = "") -> None:
        super().__init__(*message)
        self._plain = plain

    @property
    def plain(self) -> str:
        """What to say to a person, and what to do about it."""
        return self._plain or str(self)

    def at(self, place: str) -> Self:
        """Return the same error with the place of it before both its sentences."""
        return type(self)(f"{place}: {self}", plain=f"{place}: {self.plain}")


def plain_words(error: BaseException) -> str:
    """Return what docks and the command line say of an error, ours or another's."""
    if isinstance(error, MicroUSError):
        own = error.plain
    elif isinstance(error, OSError) and error.filename and error.strerror:
        # Such as a name that is too long, or a folder that nobody may look into.
        own = (
            f"{error.filename} cannot be used ({error.strerror}). Check the name and "
            "the permissions."
        )
    else:
        own = str(error)
    return own or type(error).__name__


class InputError(MicroUSError, ValueError):
    """An array, a mask or a file is not what the function can work on."""


class ConfigError(MicroUSError, ValueError):
    """A setting is unknown or out of range."""


class CheckpointError(MicroUSError):
    """A weights file is corrupt, foreign, or does not fit the network."""


class OutputError(MicroUSError, OSError):
    """A result cannot be written where it was asked for."""


class LongRunError(MicroUSError):
    """A run would take hours on this computer, and nobody agreed to that."""


class DeviceError(MicroUSError, RuntimeError):
    """The chosen device is missing, failed, or ran out of memory."""


class DownloadError(MicroUSError, OSError):
    """A file cannot be fetched, or what came is not what was expected."""


#: What PyTorch, NumPy and zipfile raise on files whose bytes were changed: their
#: unpicklers and readers trust what they read.
BROKEN_FILE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError),
    *(LookupError, ArithmeticError, MemoryError, AssertionError),
    *(pickle.UnpicklingError, struct.error, zipfile.BadZipFile, zlib.error),
)
