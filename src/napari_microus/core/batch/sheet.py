"""The contact sheet: one page with a picture and the numbers of every scan."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from napari_microus.core.batch.measuring import FAILED
from napari_microus.core.batch.picture import HEIGHT, WIDTH
from napari_microus.core.batch.places import (
    FAILURES,
    MEASUREMENTS,
    SHEET,
    picture_path,
)
from napari_microus.core.colors import ORANGE
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_STYLE = f"""
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #222; }}
main {{ display: grid; gap: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax({WIDTH}px, 1fr)); }}
figure {{ margin: 0; break-inside: avoid; }}
.frame {{ background: #111; height: {HEIGHT}px; display: flex;
  align-items: center; justify-content: center; color: #ddd; text-align: center; }}
.frame img {{ max-width: 100%; max-height: 100%; }}
.failed .frame {{ background: #5a1f1f; padding: 0 1rem; }}
figcaption {{ font-size: 13px; margin-top: .3rem; overflow-wrap: anywhere; }}
figcaption b {{ font-size: 14px; }}
.use {{ border-left: 4px solid {ORANGE}; padding-left: .7rem; }}
"""

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Contact sheet</title><style>{style}</style></head><body>
<h1>{scans} scans</h1>
<p class="use"><b>Research use only: not a medical device, and not for clinical
decisions.</b> Drawn by a model and looked at by nobody yet.</p>
<p>{summary} Each picture is the frame with the largest capsule, or the middle one.
All numbers are in <a href="{table}">{table}</a>.</p><main>
"""


def write_sheet(output: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write the contact sheet of a folder of results, and return its path.

    The pictures stay in their files beside the page, so that neither writing nor
    reading a page of thousands of scans takes memory.

    Parameters
    ----------
    output : Path
        Folder of the results.
    rows : sequence of dict
        Of ``measurements.csv``.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path = output / SHEET
    with atomic_write(path, overwrite=True) as beside:
        with beside.open("w", encoding="utf-8") as file:
            file.writelines(_page(output, rows))
    return path


def _page(output: Path, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    failures = sum(row["status"] == FAILED for row in rows)
    summary = f"{len(rows) - failures} with a mask."
    if failures:
        link = f'<a href="{FAILURES}">{FAILURES}</a>'
        summary += f" {failures} failed; the reasons are in {link}."
    yield _HEAD.format(
        style=_STYLE, scans=len(rows), summary=summary, table=MEASUREMENTS
    )
    for row in rows:
        yield _figure(output, row)
    yield "</main></body></html>\n"


def _figure(output: Path, row: dict[str, Any]) -> str:
    name = str(row["scan"])
    has_failed = row["status"] == FAILED
    kind = ' class="failed"' if has_failed else ""
    inside = escape(str(row["reason"])) if has_failed else "no picture"
    if not has_failed and picture_path(output, name).is_file():
        where = quote(picture_path(output, name).relative_to(output).as_posix())
        inside = f'<img src="{where}" loading="lazy" alt="{escape(name)}">'
    lines = "" if has_failed else "<br>".join(_lines(row))
    return (
        f'<figure{kind}><div class="frame">{inside}</div>'
        f"<figcaption><b>{escape(str(row['source']))}</b>"
        f"{'<br>' if lines else ''}{lines}</figcaption></figure>\n"
    )


def _lines(row: dict[str, Any]) -> Iterator[str]:
    frames, drawn = row["frames"], row["frames_with_capsule"]
    yield f"capsule in {escape(str(drawn))} of {escape(str(frames))} frames"
    volume = _number(row, "volume_ml")
    if volume is not None:
        yield f"{volume:.1f} mL, {escape(str(row['volume_method']))}"
    else:
        yield escape(str(row["no_volume_because"]))
    mm2, px = _number(row, "largest_area_mm2"), _number(row, "largest_area_px")
    if px is None:
        return
    area = f"{px:.0f} px" if mm2 is None else f"{mm2:.0f} mm²"
    sure = _number(row, "mean_confidence")
    confidence = "" if sure is None else f", confidence {sure:.2f}"
    frame = escape(str(row["largest_area_frame"]))
    yield f"largest area {area} in frame {frame}{confidence}"


def _number(row: dict[str, Any], name: str) -> float | None:
    """Return a value of the table, None where a person made something else of it."""
    try:
        return float(row[name])
    except ValueError:
        return None
