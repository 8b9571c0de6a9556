"""Surfaces, contours, films and pictures as forms of `KINDS`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.events import Event

    Writing = Generator[Event, None, Path]


def surface(
    mask: Volume,
    scan: Volume | str | Path | None,
    output: str | Path,
    *,
    provenance: Any,
    overwrite: bool,
) -> Writing:
    """Write the closed surface; see `surface_files.write_surface`."""
    from napari_microus.core.export.surface_files import write_surface

    yield from write_surface(_on_scan(mask, scan), output, overwrite)
    return Path(output)


def contours(
    mask: Volume,
    scan: Volume | str | Path | None,
    output: str | Path,
    *,
    provenance: Any,
    overwrite: bool,
) -> Writing:
    """Write the contours of each frame; see `contour_files.write_contours`."""
    from napari_microus.core.export.contour_files import write_contours

    yield from write_contours(_on_scan(mask, scan), output, overwrite)
    return Path(output)


def film(
    mask: Volume,
    scan: Volume | str | Path,
    output: str | Path,
    *,
    provenance: Any,
    overwrite: bool,
) -> Writing:
    """Write the sweep with its contour; see `film.write_film`."""
    from napari_microus.core.export.film import write_film

    yield from write_film(_read(scan), mask, output, overwrite)
    return Path(output)


def pictures(
    mask: Volume,
    scan: Volume | str | Path,
    output: str | Path,
    *,
    provenance: Any,
    overwrite: bool,
) -> Writing:
    """Write a picture of each frame into a folder; see `overlays.write_overlays`."""
    from napari_microus.core.export.overlays import write_overlays

    yield from write_overlays(_read(scan), mask, output, overwrite)
    return Path(output)


def _on_scan(mask: Volume, scan: Volume | str | Path | None) -> Volume:
    """Return the mask with the place of its scan, where one is given."""
    from napari_microus.core.io import placed_on

    return mask if scan is None else placed_on(mask, _read(scan))


def _read(scan: Volume | str | Path) -> Volume:
    from napari_microus.core.io import read_volume

    return scan if isinstance(scan, Volume) else read_volume(scan)
