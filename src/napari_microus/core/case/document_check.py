"""Read ``case.json``, and refuse by its name any field that makes no sense."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from napari_microus.core.case.record import DOCUMENT, FORMAT, VERSION
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# Nobody's case is longer: a hundred thousand frames have less.
_MOST_BYTES = 1 << 26


def read_document(folder: Path) -> dict[str, Any]:
    """Return what ``case.json`` of a folder holds, after every field was checked.

    Raises
    ------
    InputError
        If it is missing, no JSON, of another kind or a newer version, or damaged.
    """
    path = folder / DOCUMENT
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(
                f"A case must have a {DOCUMENT} of 64 MB or less; got a larger one in "
                f"{folder}. Open another copy.",
                plain=(
                    f"The file {DOCUMENT} of this case is far too large. Open "
                    "another copy."
                ),
            )
        document = json.loads(
            path.read_text(encoding="utf-8"), parse_constant=_no_number
        )
    except OSError as error:
        raise InputError(
            f"A case must be a folder with a {DOCUMENT} that can be read; got {folder} "
            f"({error.strerror}). Choose a case's folder.",
            plain=(
                "This folder holds no case that can be read. Choose the "
                "folder of a saved case."
            ),
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"The {DOCUMENT} of a case must be JSON; got one in {folder} that is not. "
            "Open another copy.",
            plain="This case is damaged. Open another copy.",
        ) from error
    _check_kind(document)
    _check_fields(document)
    return dict(document)


def _check_kind(document: Any) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(
            f"A case must have a {DOCUMENT} of the format '{FORMAT}'; got another "
            "kind of JSON. Choose a case's folder.",
            plain=(
                "This folder holds no case of this program. Choose the "
                "folder of a saved case."
            ),
        )
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"A case must be of version {VERSION} or older; got {version}. Update "
            "napari-microus, or use the version that saved it.",
            plain=(
                "This case was saved by a newer version of the program. "
                "Update napari-microus."
            ),
        )


def _check_fields(document: dict[str, Any]) -> None:
    """Refuse the first field that the schema does, by its name."""
    for error in _validator().iter_errors(document):
        field = _field(error.absolute_path)
        if error.validator == "required":
            missing = next(k for k in error.validator_value if k not in error.instance)
            raise InputError(
                f"The case is damaged (field '{_below(field, missing)}'): it is "
                "missing. Open another copy."
            )
        if error.validator == "additionalProperties":
            known = error.schema["properties"]
            odd = next(key for key in error.instance if key not in known)
            raise InputError(
                f"The case is damaged (field '{_below(field, str(odd)[:60])}'): it is "
                "not known. Open another copy."
            )
        raise damaged(field, error.schema.get("description", "else"), error.instance)


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    schema = files("napari_microus.core.case").joinpath("case-schema.json")
    return Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))


def _field(path: Any) -> str:
    name = ""
    for part in path:
        name = f"{name}[{part}]" if isinstance(part, int) else _below(name, str(part))
    return name


def _below(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key


def damaged(field: str, what: str, got: Any) -> InputError:
    """Return the error of a field that holds what it must not."""
    shown = repr(got)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}…"
    return InputError(
        f"The case is damaged (field '{field}'): it must hold {what}; got {shown}. "
        "Open another copy.",
        plain=(
            f"The case is damaged: its field '{field}' holds {shown} "
            f"instead of {what}. Open another copy."
        ),
    )


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
