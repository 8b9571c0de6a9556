"""The tables of a batch: ``measurements.csv`` of all scans, ``failures.csv``."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any

from napari_microus.core.batch.measuring import COLUMNS, FAILED
from napari_microus.core.batch.places import FAILURES, MEASUREMENTS
from napari_microus.core.errors import OutputError
from napari_microus.core.files import atomic_write
from napari_microus.core.io.pairing import natural_order

if TYPE_CHECKING:
    from pathlib import Path

FAILURE_COLUMNS = ("scan", "source", "reason", "date")

# Thousands of scans that are skipped must not mean thousands of tables.
_EVERY_S = 2.0


class Tables:
    """The rows of a folder of results, those of earlier batches included.

    Parameters
    ----------
    output : Path
        Folder of the results.

    Raises
    ------
    OutputError
        If a table of others lies there.
    """

    def __init__(self, output: Path) -> None:
        self._measurements = output / MEASUREMENTS
        self._failures = output / FAILURES
        self._written = 0.0
        self._rows = _read(self._measurements, COLUMNS)
        _read(self._failures, FAILURE_COLUMNS)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows in natural order of the scans' names."""
        return sorted(self._rows, key=lambda row: natural_order(str(row["scan"])))

    def add(self, row: dict[str, Any]) -> None:
        """Take a scan's row in place of its earlier one.

        A scan that failed keeps the row of the mask that it did not replace.
        """
        has_failed = row["status"] == FAILED
        self._rows = [
            old
            for old in self._rows
            if old["scan"] != row["scan"] or (has_failed and old["status"] != FAILED)
        ]
        self._rows.append({name: row.get(name, "") for name in COLUMNS})

    def write_now_and_then(self) -> None:
        """Write the tables, unless they were written a moment ago."""
        if time.monotonic() - self._written > _EVERY_S:
            self.write()

    def write(self) -> None:
        """Write both tables; without failures there is no table of them.

        Raises
        ------
        OutputError
            If one cannot be written.
        """
        _write(self._measurements, COLUMNS, self.rows)
        failures = [row for row in self.rows if row["status"] == FAILED]
        if failures:
            _write(self._failures, FAILURE_COLUMNS, failures)
        else:
            self._failures.unlink(missing_ok=True)
        self._written = time.monotonic()


def _read(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            is_ours = tuple(reader.fieldnames or ()) == columns
    except (OSError, ValueError, csv.Error) as error:
        raise _foreign(path) from error
    if not is_ours or any(None in row.values() or None in row for row in rows):
        raise _foreign(path)
    return [dict(row) for row in rows]


def _foreign(path: Path) -> OutputError:
    return OutputError(
        f"A table of results must not replace one of others; got {path}. Choose "
        "another folder, or rename that file.",
        plain=(
            f"{path} holds results of something else, and is kept. Choose "
            "another folder, or rename that file."
        ),
    )


def _write(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(path, overwrite=True) as beside:
        beside.write_text(text.getvalue(), encoding="utf-8", newline="")
