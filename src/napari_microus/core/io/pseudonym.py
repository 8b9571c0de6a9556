"""One stable name for one patient that does not reveal who it is.

A hash with a secret key: without the key nobody can try names and numbers until one
fits. The key stays on this computer; with another key the same patient has another
pseudonym.

References
----------
.. [1] RFC 2104, HMAC; NIST FIPS 180-4, SHA-256.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import unicodedata
from hashlib import sha256
from pathlib import Path

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import reach_disk
from napari_microus.core.io.dicom_header import read_header, value_of

KEY_BYTES = 32
_LETTERS = 16  # of 5 bits: among a million patients, two share one at odds of 1 : 10¹²


def pseudonym(identifier: str, key: bytes) -> str:
    """Return the pseudonym of a patient, such as ``P-K3V7…``.

    Parameters
    ----------
    identifier : str
        The patient's number or name; spaces around it and its case do not count.
    key : bytes
        The secret, see `pseudonym_key`; 16 bytes or more.

    Raises
    ------
    InputError
        If the identifier is empty or the key is short.
    """
    if len(key) < 16:
        raise InputError(
            f"The key of pseudonyms must have 16 bytes or more; got {len(key)}. Make "
            "one with pseudonym_key().",
            plain=(
                f"The key of pseudonyms has {len(key)} bytes, too few to be "
                "secret. Make one with pseudonym_key()."
            ),
        )
    plain = unicodedata.normalize("NFKC", str(identifier)).strip().casefold()
    if not plain:
        raise InputError(
            "A patient's identifier must not be empty; got none. Name the patient "
            "yourself.",
            plain=(
                "The scan names no patient, so that there is nothing to make a "
                "pseudonym of. Name the patient yourself."
            ),
        )
    digest = hmac.new(key, plain.encode("utf-8"), sha256).digest()
    letters = base64.b32encode(digest).decode("ascii")[:_LETTERS]
    return f"P-{letters}"


def pseudonym_uid(uid: str, key: bytes) -> str:
    """Return a DICOM UID in place of another, the same each time.

    References between files that were both renamed with one key still hold.

    Parameters
    ----------
    uid : str
        The UID that is to be hidden.
    key : bytes
        The secret, see `pseudonym_key`; 16 bytes or more.

    Returns
    -------
    str
        ``2.25.`` and a number of 128 bits (PS3.5, B.2).

    Raises
    ------
    InputError
        If the UID is empty or the key is short.
    """
    pseudonym(uid, key)  # for its checks
    digest = hmac.new(key, f"UID {uid.strip()}".encode("ascii", "replace"), sha256)
    return f"2.25.{int.from_bytes(digest.digest()[:16], 'big')}"


def pseudonym_key(path: str | Path | None = None) -> bytes:
    """Return this computer's key of pseudonyms, made at random the first time.

    Parameters
    ----------
    path : str or Path, optional
        The key's file; None takes `pseudonym_key_path`. Only its owner can read it.

    Raises
    ------
    InputError
        If the file is no key.
    OutputError
        If it cannot be made.
    """
    path = pseudonym_key_path() if path is None else Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise InputError(
            f"The key of pseudonyms must be hexadecimal; got {path}, which is "
            "something else. Restore it from a backup.",
            plain=(
                f"The key of the pseudonyms, {path}, is damaged. Restore it from a "
                "backup."
            ),
        ) from error
    except OSError as error:
        raise OutputError(
            f"The key of pseudonyms must be writable; got {path} ({error.strerror}). "
            "Check the permissions.",
            plain=(
                f"The key of the pseudonyms, {path}, cannot be written "
                f"({error.strerror}). Check the permissions."
            ),
        ) from error
    if len(key) < KEY_BYTES:
        raise InputError(
            f"The key of pseudonyms must have {KEY_BYTES} bytes; got {len(key)} in "
            f"{path}. Restore it from a backup.",
            plain=(
                f"The key of the pseudonyms, {path}, is damaged. Restore it from a "
                "backup."
            ),
        )
    return key


def pseudonym_key_path() -> Path:
    """Return where this computer's key of pseudonyms lies."""
    from platformdirs import user_state_path

    return user_state_path("napari-microus", appauthor=False) / "pseudonym.key"


def dicom_pseudonym(path: str | Path, key: bytes) -> str | None:
    """Return the pseudonym of the patient of a DICOM file, None if it states none.

    The patient's number counts, with the name of who gave it; without a number the
    name and the date of birth do. None of them leaves this function.
    """
    header = read_header(Path(path))
    parts = [value_of(header, "IssuerOfPatientID"), value_of(header, "PatientID")]
    if parts[1] is None:
        parts = [value_of(header, "PatientName"), value_of(header, "PatientBirthDate")]
        if parts[0] is None:
            return None
    joined = "\n".join(str(part or "").strip() for part in parts)
    return pseudonym(joined, key)


def _make(path: Path) -> None:
    """Write a new key unless there is one; of two writers, the first wins."""
    if path.exists():
        return
    own = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        reach_disk(own)
        try:
            os.link(own, path)  # fails where the file is there, unlike a rename
        except FileExistsError:
            return
        except OSError:  # a file system without links
            if not path.exists():
                os.replace(own, path)
        reach_disk(path.parent)
    finally:
        own.unlink(missing_ok=True)
