"""Surfaces as STL, OBJ and PLY.

Meshes have no agreed axes. As 3D Slicer does, the header states ``SPACE=LPS`` or
``SPACE=RAS``; Slicer reads it, and takes LPS where it is missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from napari_microus.core.errors import OutputError
from napari_microus.core.export.surface import Surface, capsule_surface
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.events import Event
    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume

Space = Literal["LPS", "RAS"]

SURFACE_SUFFIXES = (".stl", ".obj", ".ply")

_STL_HEADER = 80
_PATIENT = "patient"
_OWN = "axes of the scan, orientation not told"


def write_surface(
    mask: Volume,
    path: str | Path,
    overwrite: bool = False,
    *,
    space: Space = "LPS",
    sweep: Sweep | None = None,
    spacing_mm: float | None = None,
) -> Generator[Event, None, Surface]:
    """Make the surface of a mask and write it, whole or not at all.

    Parameters
    ----------
    mask, sweep, spacing_mm
        As for `capsule_surface`.
    path : str or Path
        Ends in ``.stl``, ``.obj`` or ``.ply``.
    overwrite : bool
        Replace a file that is there.
    space : {"LPS", "RAS"}
        Axes of the file: to the patient's left, posterior and superior, as 3D Slicer
        writes by default, or right, anterior and superior.

    Yields
    ------
    Event
        As `capsule_surface`.

    Raises
    ------
    InputError
        If the mask has no surface in mm.
    OutputError
        If the format or the axes are unknown, the file exists, or it cannot be written.
    """
    _check(Path(path), space, overwrite)
    surface = yield from capsule_surface(mask, sweep=sweep, spacing_mm=spacing_mm)
    save_surface(surface, path, overwrite, space=space)
    return surface


def save_surface(
    surface: Surface,
    path: str | Path,
    overwrite: bool = False,
    *,
    space: Space = "LPS",
) -> None:
    """Write a surface in mm; see `write_surface` for formats and errors.

    The comment in the file gives the axes, the unit, and whether they are the
    patient's: "patient", or "axes of the scan, orientation not told".
    """
    import trimesh

    path = Path(path)
    suffix = _check(path, space, overwrite)
    turn = [-1, -1, 1] if space == "LPS" else [1, 1, 1]
    mesh: Any = trimesh.Trimesh(
        surface.vertices_mm * turn, surface.faces, process=False
    )
    of_whom = _PATIENT if surface.is_oriented else _OWN
    comment = f"napari-microus. SPACE={space}, mm, {of_whom}"
    with atomic_write(path, overwrite=overwrite) as beside:
        if suffix == ".obj":
            text = mesh.export(file_type="obj", header=comment)
            beside.write_text(text + "\n", encoding="ascii")
        elif suffix == ".ply":
            magic, form, rest = mesh.export(file_type="ply").split(b"\n", 2)
            line = f"comment {comment}".encode("ascii")
            beside.write_bytes(b"\n".join([magic, form, line, rest]))
        else:
            written = mesh.export(file_type="stl")
            header = comment.encode("ascii").ljust(_STL_HEADER)
            beside.write_bytes(header + written[_STL_HEADER:])


def _check(path: Path, space: str, overwrite: bool) -> str:
    suffix = path.suffix.lower()
    if suffix not in SURFACE_SUFFIXES:
        raise OutputError(
            f"A surface must end in one of {', '.join(SURFACE_SUFFIXES)}; got "
            f"{path.name}. Rename it.",
            plain=(
                f"The name of a surface ends in {' or '.join(SURFACE_SUFFIXES)}; "
                f"this one does not: {path.name}. Rename it."
            ),
        )
    if space not in get_args(Space):
        raise OutputError(
            f"The axes of a surface must be LPS or RAS; got {space}. Choose one.",
            plain=f"The axes of a surface are LPS or RAS, and not {space}. Choose one.",
        )
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )
    return suffix
