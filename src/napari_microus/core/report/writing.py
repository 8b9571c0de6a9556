"""Write the report of one case as one HTML file that needs nothing beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.case.record import USE
from napari_microus.core.case.scan_reference import FROM_FILE
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.files import atomic_write
from napari_microus.core.measure.area_error import FORMULA
from napari_microus.core.provenance import package_version
from napari_microus.core.report import words
from napari_microus.core.report.area_chart import area_chart, chart_in_words
from napari_microus.core.report.frame_picture import frame_picture
from napari_microus.core.report.key_frames import key_frames

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from napari_microus.core.case.record import Case
    from napari_microus.core.events import Event
    from napari_microus.core.measure import Measurements
    from napari_microus.core.volume import Volume


def write_report(
    path: str | Path,
    scan: Volume,
    mask: Volume,
    measured: Measurements,
    *,
    code: str,
    provenance: Mapping[str, Any] | None = None,
    note: str = "",
    notices: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the report of a capsule.

    Parameters
    ----------
    path : str or Path
        HTML file to write.
    scan, mask : Volume
        On one grid; 1 is the capsule.
    measured : Measurements
        Of `core.measure.measure`.
    code : str
        Pseudonym of the case; nothing else says whose it is.
    provenance : mapping, optional
        Who drew the capsule.
    note : str
        What a person wrote about the case.
    notices : sequence of str, optional
        What to know about the scan; those of its metadata if not given.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If scan, mask and measurements are not of one scan.
    OutputError
        If the file exists or cannot be written.
    """
    return drain(
        writing_report(
            path,
            scan,
            mask,
            measured,
            code=code,
            provenance=provenance,
            note=note,
            notices=notices,
            overwrite=overwrite,
        )
    )


def write_case_report(path: str | Path, case: Case, *, overwrite: bool = False) -> Path:
    """Write the report of a case that was opened with its scan; see `write_report`."""
    if case.scan is None:
        raise InputError(
            "The report of a case must show its scan; got a case without. Open it "
            "with its scan.",
            plain=(
                "This case was opened without its scan, which the report shows. "
                "Open it with its scan."
            ),
        )
    return write_report(
        path,
        case.scan,
        case.mask,
        case.measurements,
        code=case.code,
        provenance=case.provenance,
        note=case.note,
        notices=case.notices,
        overwrite=overwrite,
    )


def writing_report(
    path: str | Path,
    scan: Volume,
    mask: Volume,
    measured: Measurements,
    *,
    code: str,
    provenance: Mapping[str, Any] | None = None,
    note: str = "",
    notices: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Generator[Event, None, Path]:
    """Do what `write_report` does; yields after each picture."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )
    if not scan.shape == mask.shape or len(measured.frames) != len(scan.array):
        raise InputError(
            f"Scan, mask and measurements must be of one scan; got {scan.shape}, "
            f"{mask.shape} and {len(measured.frames)} frames. Measure this mask first.",
            plain=(
                "The measurements are not those of this mask and scan. Measure "
                "this mask first."
            ),
        )
    chosen = key_frames(measured)
    pictures = []
    for number, key in enumerate(chosen, start=1):
        frame = key.size.frame
        pictures.append((key, frame_picture(scan, mask.array[frame], frame)))
        yield Progress(number, len(chosen), "pictures", "Report")
    stated = scan.metadata.get("notices", ()) if notices is None else notices
    page = _template().render(
        code=code,
        day=datetime.now(UTC).date().isoformat(),
        use=USE,
        measured=measured,
        pictures=pictures,
        chart=area_chart(measured),
        chart_in_words=chart_in_words(measured),
        authors=words.authors(provenance or {}, measured),
        geometry=words.geometry(
            scan, str(scan.metadata.get("pixel_size_from") or FROM_FILE)
        ),
        note=note.strip(),
        notices=list(dict.fromkeys([*measured.notices, *map(str, stated)])),
        formula=FORMULA,
        package=f"napari-microus {package_version()}",
        words=words,
    )
    with atomic_write(path, overwrite=overwrite) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


@cache
def _template() -> Any:
    """Return the page, in which every value is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = files("napari_microus.core.report").joinpath("page.html.j2")
    return environment.from_string(page.read_text(encoding="utf-8"))
