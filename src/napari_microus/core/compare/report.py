"""Write comparisons as CSV, JSON and pictures."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

from napari_microus.core.compare.frames import FrameAgreement
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_COLUMNS = [field.name for field in dataclasses.fields(FrameAgreement)]


def write_frames_csv(
    rows: Sequence[FrameAgreement],
    path: str | Path,
    *,
    case: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write one case's frame table; a number without meaning is an empty cell."""
    _write([(case, rows)], path, overwrite=overwrite, named=case is not None)


def write_cases_csv(
    cases: Mapping[str, Sequence[FrameAgreement]],
    path: str | Path,
    *,
    units: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write the frame tables of several cases under one heading.

    Parameters
    ----------
    cases : mapping of str to rows
        Name of the case, written in a first column.
    path : path
        CSV file.
    units : mapping of str to str, optional
        "mm" or "px" for each case, written in a last column: what the lengths and
        areas of its rows really are, whatever their headings say.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    _write(list(cases.items()), path, overwrite=overwrite, named=True, units=units)


def _write(
    tables: Sequence[tuple[str | None, Sequence[FrameAgreement]]],
    path: str | Path,
    *,
    overwrite: bool,
    named: bool,
    units: Mapping[str, str] | None = None,
) -> None:
    with (
        atomic_write(path, overwrite=overwrite) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        last = ["unit"] if units is not None else []
        writer.writerow([*(["case"] if named else []), *_COLUMNS, *last])
        for case, rows in tables:
            unit = [units[case or ""]] if units is not None else []
            for row in rows:
                values = [_cell(value) for value in dataclasses.astuple(row)]
                writer.writerow([*([case] if named else []), *values, *unit])


def write_json(content: Any, path: str | Path, *, overwrite: bool = False) -> None:
    """Write dataclasses, lists and dicts as strict JSON; NaN becomes null."""
    with atomic_write(path, overwrite=overwrite) as part:
        part.write_text(
            json.dumps(plain(content), indent=2, allow_nan=False), encoding="utf-8"
        )


def plain(value: Any) -> Any:
    """Return ``value`` as JSON-ready data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cell(value: float) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return str(value)
