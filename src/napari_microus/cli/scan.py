"""``napari-microus scan``: what is known of a scan, and what a person adds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_microus.cli.application import app
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from napari_microus.core.io import ScanProperties
    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume

scan = typer.Typer(
    help="Show and set the sizes of a scan that its file does not state.",
    no_args_is_help=True,
)
app.add_typer(scan, name="scan")

_Path = Annotated[Path, typer.Argument(help="A scan's file, or a folder of frames.")]


@scan.command()
def show(path: _Path) -> None:
    """Print the size of a scan, and what a person stated about it."""
    from napari_microus.core.io import (
        read_scan_properties,
        read_volume,
    )
    from napari_microus.core.io.scan_sidecar import find_scan_properties

    volume = read_volume(path)
    for line in _lines(volume):
        print(line)
    for notice in volume.metadata["notices"]:
        print(f"note: {notice}")
    sidecar = find_scan_properties(path)
    if sidecar is not None:
        stated = read_scan_properties(path).to_dict()
        print(f"{sidecar}: {json.dumps(stated, ensure_ascii=False)}")


@scan.command("set")
def set_(
    path: _Path,
    pixel_mm: Annotated[
        str | None,
        typer.Option(help="Pixel size, as 0.05 or 0.05x0.04 (height x width)."),
    ] = None,
    frame_distance_mm: Annotated[
        str | None, typer.Option(help="Distance of two frames in mm, or unknown.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option(help="parallel, rotational or unknown.")
    ] = None,
    axis_along: Annotated[
        str | None,
        typer.Option(help="rows (a vertical axis) or columns (a horizontal one)."),
    ] = None,
    axis_at_mm: Annotated[
        float | None,
        typer.Option(
            help="Place of the axis: mm down from the first row (columns), or right "
            "of the first column (rows); below 0 is beside the picture."
        ),
    ] = None,
    angles_deg: Annotated[
        str | None,
        typer.Option(
            help="Angle of each frame, as first:last (equal steps), the whole turn "
            "in one number, or a,b,c …"
        ),
    ] = None,
    orientation: Annotated[
        str | None,
        typer.Option(
            help="Where columns, rows and frames run to, as "
            "superior,posterior,left (the patient's)."
        ),
    ] = None,
    blank: Annotated[
        list[str] | None,
        typer.Option(
            help="A part of the picture to read as black, such as a name burnt into "
            "it: rows and columns, as 0:40,10:200. Given several times, several "
            "parts; none clears them."
        ),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove what was stated before.")
    ] = False,
) -> None:
    """State what a scan's file does not say; kept beside it in NAME.scan.json.

    A folder's scan.json holds for all scans in it. What is not given stays as it
    was stated before.
    """
    from napari_microus.core.errors import ConfigError
    from napari_microus.core.io import (
        ScanProperties,
        read_scan_properties,
        read_volume,
        write_scan_properties,
    )
    from napari_microus.core.study.table import read_pixel

    stated = ScanProperties() if clear else read_scan_properties(path)
    changes: dict[str, Any] = {}
    if pixel_mm is not None:
        changes["pixel_mm"] = read_pixel(pixel_mm, "--pixel-mm")
    if frame_distance_mm is not None:
        changes["frame_distance_mm"] = _distance(frame_distance_mm)
    if orientation is not None:
        changes["orientation"] = tuple(orientation.replace(" ", "").split(","))
    if blank is not None:
        changes["blank"] = _blank(blank)
    rotation = (sweep, axis_along, axis_at_mm, angles_deg)
    if any(part is not None for part in rotation):
        changes["sweep"] = _sweep(stated.sweep, path, *rotation)
    if not changes and not clear:
        raise ConfigError(
            "Something must be given to set; got nothing. Name it, as --pixel-mm 0.1.",
            plain=(
                "Nothing to set is named. Name a size, as --pixel-mm 0.1, or --clear."
            ),
        )
    properties = replace(stated, **changes)
    _check(path, properties)
    written = write_scan_properties(path, properties)
    print(written)
    for line in _lines(read_volume(path)):
        print(line)


def _check(path: Path, properties: ScanProperties) -> None:
    """Refuse what does not fit the scan, before anything is written."""
    from napari_microus.core.io.blanking import blanked
    from napari_microus.core.io.reading import read_without_sidecar
    from napari_microus.core.io.scan_properties import with_properties

    volume = with_properties(read_without_sidecar(path), properties)
    blanked(volume.array[:1], properties.blank or ())


def _distance(text: str) -> float | str:
    if text.strip().lower() == "unknown":
        return "unknown"
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"The distance of frames must be mm or unknown; got '{text}'. Correct it.",
            plain=f"'{text}' is no distance of frames. Write it in mm, or unknown.",
        ) from None


def _blank(parts: list[str]) -> tuple[tuple[int, int, int, int], ...] | None:
    from napari_microus.core.io.blanking import rectangle_from_text

    if parts == ["none"]:
        return None
    return tuple(rectangle_from_text(part) for part in parts)


def _sweep(
    before: Sweep | None,
    path: Path,
    kind: str | None,
    along: str | None,
    at_mm: float | None,
    angles: str | None,
) -> Sweep:
    from napari_microus.core.sweep import Sweep

    stated: dict[str, Any] = {} if before is None else before.to_dict()
    axis = dict(stated.get("axis") or {})
    axis |= {} if along is None else {"along": along}
    axis |= {} if at_mm is None else {"at_mm": at_mm}
    steps = stated.get("angles_deg") if angles is None else _angles(angles, path)
    kind = kind or stated.get("kind") or "rotational"
    if kind != "rotational":
        return Sweep.from_dict({"kind": kind})
    given = {"axis": axis, "angles_deg": steps}
    return Sweep.from_dict({"kind": kind, **{k: v for k, v in given.items() if v}})


def _angles(text: str, path: Path) -> list[float]:
    from napari_microus.core.io.reading import read_without_sidecar
    from napari_microus.core.sweep import angles_from_text

    return list(angles_from_text(text, len(read_without_sidecar(path).array)))


def _lines(volume: Volume) -> list[str]:
    from napari_microus.core.volume import size_in_words

    distance, height, width = volume.spacing_mm
    lines = [size_in_words(volume.shape)]
    if not volume.has_geometry:
        return [*lines, "pixel size: unknown"]
    lines.append(f"pixel size: {height:.4g} × {width:.4g} mm")
    if len(volume.array) > 1:
        known = volume.knows_frame_distance
        lines.append(f"frame distance: {f'{distance:.4g} mm' if known else 'unknown'}")
    if "sweep" in volume.metadata:
        lines.append(f"sweep: {volume.metadata['sweep']['kind']}")
    return lines
