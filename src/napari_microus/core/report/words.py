"""The sentences and numbers of a report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from napari_microus.core.edit.review import FrameState
from napari_microus.core.sweep import sweep_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_microus.core.measure import Measurements
    from napari_microus.core.measure.frame_sizes import FrameSize
    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume
    from napari_microus.core.volumetry import VolumeEstimate

_MOST_RANGES = 12

#: What a reader learns of a frame, by its `FrameState`.
STATES = {
    FrameState.MODEL.value: "as the model drew it",
    FrameState.DOUBTFUL.value: "model not certain",
    FrameState.EDITED.value: "changed by hand",
    FrameState.APPROVED.value: "approved",
    FrameState.EMPTY.value: "empty",
}


def number(value: float, digits: int = 3) -> str:
    """Return a number in plain digits, to three that count or to whole ones."""
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}".rstrip(".")
    is_large = "e" in text or abs(value) >= 10**digits
    return f"{value:,.0f}" if is_large else text


def millilitres(volume: VolumeEstimate) -> str:
    """Return a volume such as "31.4 mL", "–" where there is none."""
    return "–" if volume.ml is None else f"{number(volume.ml)} mL"


def interval(volume: VolumeEstimate) -> str:
    """Return an interval such as "28.9 to 33.9 mL", "–" where there is none."""
    if volume.ml is None or volume.interval_ml is None:
        return "–"
    low, high = volume.interval_ml
    return f"{number(low)} to {number(high)} mL"


def area(size: FrameSize) -> str:
    """Return a frame's area in cm², or in pixels where the size is unknown."""
    if size.area_mm2 is None:
        return f"{size.area_px:,} pixels"
    return f"{number(size.area_mm2 / 100)} cm²"


def extent(size: FrameSize) -> str:
    """Return the width and height of a frame's outline, in mm or pixels."""
    if size.width_mm is None or size.height_mm is None:
        return f"{size.width_px} × {size.height_px} pixels"
    return f"{size.width_mm:.1f} × {size.height_mm:.1f} mm"


def frame_list(frames: Iterable[int]) -> str:
    """Return frames such as "0–4, 7", "none" for none."""
    ranges: list[list[int]] = []
    for frame in sorted(frames):
        if ranges and frame == ranges[-1][1] + 1:
            ranges[-1][1] = frame
        else:
            ranges.append([frame, frame])
    entries = [f"{a}" if a == b else f"{a}–{b}" for a, b in ranges[:_MOST_RANGES]]
    more = ["…"] if len(ranges) > _MOST_RANGES else []
    return ", ".join(entries + more) or "none"


def geometry(scan: Volume, size_from: str) -> list[tuple[str, str]]:
    """Return what is known of a scan's sizes, as names and values."""
    frames, rows, columns = scan.shape
    entries = [("Scan", f"{_frames(frames)} of {rows} × {columns} pixels")]
    if not scan.has_geometry:
        return [*entries, ("Pixel size", "unknown: areas are in pixels")]
    distance_mm, height_mm, width_mm = scan.spacing_mm
    entries.append(
        ("Pixel size", f"{height_mm:.4g} × {width_mm:.4g} mm (height × width)")
    )
    entries.append(("Size stated by", size_from))
    sweep = sweep_of(scan.metadata)
    if sweep.kind == "rotational" and sweep.angles_deg:
        first, last = sweep.angles_deg[0], sweep.angles_deg[-1]
        entries.append(
            (
                "Sweep",
                f"rotational, {_signed(first)}° to {_signed(last)}°; {_axis(sweep)}",
            )
        )
    elif frames > 1:
        known = scan.knows_frame_distance
        text = f"{distance_mm:.4g} mm" if known else "unknown"
        entries.append(("Distance of frames", text))
    return entries


def authors(
    provenance: Mapping[str, Any], measured: Measurements
) -> list[tuple[str, str]]:
    """Return who drew what, as names and values."""
    count, drawn = len(measured.frames), measured.drawn
    entries = [("Outline by", _model(provenance))]
    if provenance.get("date"):
        entries.append(("Drawn on", _minute(str(provenance["date"]))))
    if provenance.get("package"):
        entries.append(("Drawn with", str(provenance["package"])))
    empty = [size.frame for size in measured.frames if not size.is_drawn]
    entries += [
        ("Outlined frames", f"{len(drawn)} of {count} ({frame_list(drawn)})"),
        ("Changed by hand", _some(measured.edited)),
        ("Approved", _some(measured.approved)),
        ("Left empty", _some(empty)),
    ]
    return entries


def state(size: FrameSize) -> str:
    """Return what is known of a frame, in words."""
    return STATES[size.state]


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"


def _minute(time: str) -> str:
    """Return a time of ISO 8601 to the minute, other texts as they are."""
    try:
        when = datetime.fromisoformat(time)
    except ValueError:
        return time
    zone = " UTC" if when.utcoffset() == timedelta(0) else ""
    return f"{when:%Y-%m-%d %H:%M}{zone}"


def _signed(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _axis(sweep: Sweep) -> str:
    """Return where the axis of a rotational sweep lies."""
    at_mm = sweep.axis_at_mm or 0.0
    if sweep.axis_along == "columns":
        side = "above" if at_mm < 0 else "below"
        return f"horizontal axis {abs(at_mm):.4g} mm {side} the first row"
    side = "left" if at_mm < 0 else "right"
    return f"vertical axis {abs(at_mm):.4g} mm {side} of the first column"


def _model(provenance: Mapping[str, Any]) -> str:
    name = provenance.get("model")
    if not name:
        return "not stated"
    version = provenance.get("model_version")
    weights = str(provenance.get("weights_sha256") or "")[:12]
    entries = f"model {name}" + (f", version {version}" if version else "")
    return entries + (f" (weights {weights}…)" if weights else "")


def _some(frames: Iterable[int]) -> str:
    frames = list(frames)
    return f"{len(frames)} ({frame_list(frames)})" if frames else "none"
