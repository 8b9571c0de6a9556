"""The fields of *Scan properties*, and the core's properties they stand for.

An empty field leaves the file's own word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MicroUSLib.combo_boxes import chosen

if TYPE_CHECKING:
    from types import SimpleNamespace

    from napari_microus.core.io import ScanProperties
    from napari_microus.core.sweep import Sweep

_AS_FILE = _("as the file states")
_SWEEPS = {
    "": _AS_FILE,
    "parallel": _("parallel frames"),
    "rotational": _("rotational, about an axis in all frames"),
    "unknown": _("unknown"),
}
_AXES = {
    "columns": _("columns (a horizontal line)"),
    "rows": _("rows (a vertical line)"),
}
_WORDS = ("", "left", "right", "anterior", "posterior", "superior", "inferior")
_RUNS_TO = ("columnsToComboBox", "rowsToComboBox", "framesToComboBox")
# Angles are stated to a millionth of a degree.
_STEP_DEG = 2e-6


def fill_choices(ui: SimpleNamespace) -> None:
    """List what can be chosen."""
    for box, choices in ((ui.sweepComboBox, _SWEEPS), (ui.axisComboBox, _AXES)):
        for key, words in choices.items():
            box.addItem(words, key)
    for name in _RUNS_TO:
        for word in _WORDS:
            getattr(ui, name).addItem(_(word) if word else _AS_FILE, word)


def show_properties(ui: SimpleNamespace, properties: ScanProperties) -> None:
    """Write properties into the fields."""
    show_pixel(ui, properties.pixel_mm)
    distance = properties.frame_distance_mm
    ui.distanceUnknownCheckBox.checked = distance == "unknown"
    ui.frameDistanceLineEdit.text = _text(None if distance == "unknown" else distance)
    sweep = properties.sweep
    _choose(ui.sweepComboBox, "" if sweep is None else sweep.kind)
    is_turned = sweep is not None and sweep.kind == "rotational"
    _choose(ui.axisComboBox, sweep.axis_along if is_turned else "columns")
    ui.axisPlaceLineEdit.text = _text(sweep.axis_at_mm if is_turned else None)
    ui.anglesLineEdit.text = _angles_as_text(sweep.angles_deg) if is_turned else ""
    for name, word in zip(_RUNS_TO, properties.orientation or ("",) * 3, strict=True):
        _choose(getattr(ui, name), word)
    enable_fields(ui)


def show_pixel(ui: SimpleNamespace, pixel_mm: tuple[float, float] | None) -> None:
    """Write the height and width of a pixel into their fields."""
    height, width = pixel_mm or (None, None)
    ui.pixelHeightLineEdit.text = _text(height)
    ui.pixelWidthLineEdit.text = _text(width if width != height else None)


def enable_fields(ui: SimpleNamespace) -> None:
    """Let only those fields be filled that go together."""
    is_turned = chosen(ui.sweepComboBox) == "rotational"
    for name in ("axisComboBox", "axisPlaceLineEdit", "anglesLineEdit"):
        getattr(ui, name).enabled = is_turned
    ui.distanceUnknownCheckBox.enabled = not is_turned
    is_unknown = ui.distanceUnknownCheckBox.checked
    ui.frameDistanceLineEdit.enabled = not is_turned and not is_unknown


def read_properties(ui: SimpleNamespace, frames: int) -> ScanProperties:
    """Return what stands in the fields, for a scan of so many frames.

    Raises
    ------
    InputError
        If a field holds no number, or what cannot be.
    """
    from napari_microus.core.errors import InputError
    from napari_microus.core.io import ScanProperties

    height = _number(ui.pixelHeightLineEdit.text, "The height of a pixel")
    width = _number(ui.pixelWidthLineEdit.text, "The width of a pixel")
    if height is None and width is not None:
        raise InputError(
            "A pixel must have a height; got a width alone. Give the height too, or "
            "the height alone where pixels are square.",
            plain=(
                "The pixel has a width and no height. Give the height too, or "
                "the height alone where pixels are square."
            ),
        )
    pixel_mm = None if height is None else (height, width or height)
    sweep = _read_sweep(ui, frames)
    distance: float | str | None = None
    if sweep is None or sweep.kind != "rotational":
        distance = _number(ui.frameDistanceLineEdit.text, "The distance of frames")
        if ui.distanceUnknownCheckBox.checked:
            distance = "unknown"
    words = tuple(chosen(getattr(ui, name)) for name in _RUNS_TO)
    if any(words) and not all(words):
        raise InputError(
            "The orientation must state where columns, rows and frames run to; got a "
            "part of it. Choose all three, or none.",
            plain=(
                "The orientation is stated in part. It needs where columns, rows and "
                "frames run to. Choose all three, or none."
            ),
        )
    return ScanProperties(pixel_mm, distance, sweep, words if any(words) else None)


def _read_sweep(ui: SimpleNamespace, frames: int) -> Sweep | None:
    from napari_microus.core.sweep import Sweep

    kind = chosen(ui.sweepComboBox)
    if not kind:
        return None
    if kind != "rotational":
        return Sweep(kind)
    at_mm = _number(ui.axisPlaceLineEdit.text, "The place of the axis")
    angles = _read_angles(ui.anglesLineEdit.text, frames)
    return Sweep(kind, chosen(ui.axisComboBox), at_mm, angles)


def _read_angles(text: str, frames: int) -> tuple[float, ...] | None:
    """Return an angle for each frame: a total, the first and the last, or a list."""
    from napari_microus.core.sweep import angles_from_text

    return angles_from_text(text, frames) if text.strip() else None


def _angles_as_text(angles: tuple[float, ...]) -> str:
    from napari_microus.core.sweep import even_angles

    even = even_angles(angles[0], angles[-1], len(angles))
    if all(abs(a - b) <= _STEP_DEG for a, b in zip(angles, even, strict=True)):
        return f"{_text(angles[0])}:{_text(angles[-1])}"
    return ", ".join(map(_text, angles))


def _number(text: str, what: str) -> float | None:
    from napari_microus.core.errors import InputError

    text = text.strip()
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InputError(
            f"{what} must be a number of mm; got '{text}'. Correct it.",
            plain=f"{what} is '{text}', which is no number of mm. Correct it.",
        ) from None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _choose(box: object, key: str) -> None:
    box.currentIndex = max(0, box.findData(key))
