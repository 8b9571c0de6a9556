"""Published weights on this computer, beside the library of models."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import CheckpointError, ConfigError
from napari_microus.core.files import atomic_write
from napari_microus.core.library.places import library_folder

if TYPE_CHECKING:
    from napari_microus.core.config.published_weights import PublishedWeights


def pretrained_folder() -> Path:
    """Return the folder that ``models fetch`` and ``models import`` put them in."""
    return library_folder().parent / "pretrained"


def find_published(name: str) -> Path | None:
    """Return the file of published weights, None where it is not on this computer."""
    path = pretrained_folder() / _known(name).file.name
    return path if path.is_file() else None


def published_file(path: str | Path) -> PublishedWeights | None:
    """Return which published weights a file is, by its digest; None for none of them.

    Raises
    ------
    CheckpointError
        If the file cannot be read.
    """
    from napari_microus.core.config.published_weights import published_weights

    path = Path(path)
    try:
        size = path.stat().st_size
        known = [
            one for one in published_weights().values() if one.file.size in (None, size)
        ]
        if not known:
            return None
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"The weights must be a readable file; got {path} "
            f"({error.strerror or error}). Check the path.",
            plain=(
                f"The weights {path} cannot be read ({error.strerror or error}). "
                "Check the path."
            ),
        ) from error
    return next((o for o in known if o.file.checksum == f"sha256:{digest}"), None)


def import_published(path: str | Path) -> Path:
    """Copy a file of published weights to where trainings look for it.

    Raises
    ------
    CheckpointError
        If it is none of those that are known.
    """
    found = published_file(path)
    if found is None:
        from napari_microus.core.config.published_weights import published_weights

        names = " or ".join(o.file.name for o in published_weights().values())
        raise CheckpointError(
            f"Published weights must be {names} as published, to a byte; got {path}. "
            "Fetch the file again, or name this one in encoder_weights.",
            plain=(
                f"{path} is not {names} as published. Fetch the file again, or name "
                "this one in encoder_weights."
            ),
        )
    target = pretrained_folder() / found.file.name
    if not target.exists() or target.resolve() != Path(path).resolve():
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target, overwrite=True) as fresh:
            shutil.copyfile(path, fresh)
    return target


def _known(name: str) -> PublishedWeights:
    from napari_microus.core.config.published_weights import published_weights

    known = published_weights()
    if name not in known:
        raise ConfigError(
            f"Published weights must be {' or '.join(known)}; got '{name}'. Name one "
            "of them, or a file.",
            plain=(
                f"There are no published weights '{name}'. Name "
                f"{' or '.join(known)}, or a file."
            ),
        )
    return known[name]
