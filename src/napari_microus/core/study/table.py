"""The table of a study: a line a case, its names, split and pixel size."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.volume import Volume

MANIFEST = "manifest.csv"
SPLITS = ("train", "val", "test")
_BEFORE = ("case", "patient", "image", "expert", "nonexpert")
_AFTER = ("split", "ignore")
_PIXEL = "spacing_mm"
_RULE = "label_rule"
_KNOWN = (*_BEFORE, *_AFTER, _PIXEL, _RULE)
# A column "image_adc" names the files of the channel "adc".
_CHANNEL = "image_"
_NAME = re.compile(r"[\w.-]+")
_FOLD = re.compile(r"fold(\d+)")


@dataclass(frozen=True)
class StudyCase:
    """One line of the manifest.

    Attributes
    ----------
    case, patient : str
        Name of the scan and pseudonym of whom it shows.
    image, expert, nonexpert : str
        Files, absolute or from the study's folder; "" where there is none.
    annotators : dict
        Files of further annotators by their name.
    split : str
        "train", "val", "test", "fold0" and so on, or "" while undecided.
    ignore : bool
        Whether the case is left out of everything.
    spacing_mm : tuple of float, optional
        Height and width of a pixel in mm, for an image that states no size; the
        distance of its frames stays unknown.
    channels : dict
        Files of an examination of several channels by their name (T2W, ADC, ...),
        ``image`` being one of them; empty for a scan of one.
    label_rule : str
        Which values of the masks are the target, see
        `core.multichannel.label_rules`; "" for masks of 0 and 1.
    """

    case: str
    patient: str
    image: str
    expert: str = ""
    nonexpert: str = ""
    annotators: dict[str, str] = field(default_factory=dict)
    split: str = ""
    ignore: bool = False
    spacing_mm: tuple[float, float] | None = None
    channels: dict[str, str] = field(default_factory=dict)
    label_rule: str = ""

    @property
    def fold(self) -> int | None:
        """Number of the fold, where the study is split in folds."""
        found = _FOLD.fullmatch(self.split)
        return int(found[1]) if found else None


def read_table(content: bytes, path: Path) -> list[StudyCase]:
    """Return the cases of a table that was read from ``path``.

    Raises
    ------
    InputError
        If a column is missing, or a line makes no sense.
    UnicodeDecodeError, csv.Error
        If it is no table.
    """
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    rows, columns = list(reader), list(reader.fieldnames or [])
    missing = [name for name in _BEFORE[:4] if name not in columns]
    if missing:
        raise InputError(
            f"A manifest must have the columns {', '.join(_BEFORE + _AFTER)}; got "
            f"no '{missing[0]}' in {path}. Add the column.",
            plain=f"The table {path} has no column '{missing[0]}'. Add the column.",
        )
    annotators = [c for c in columns if c not in _KNOWN and not c.startswith(_CHANNEL)]
    cases = [_read_row(row, annotators, path) for row in rows]
    check_names(cases, path)
    return cases


def write_table(cases: Sequence[StudyCase], file: TextIO) -> None:
    """Write the cases as a table that `read_table` reads."""
    annotators = list(dict.fromkeys(name for case in cases for name in case.annotators))
    channels = list(dict.fromkeys(name for case in cases for name in case.channels))
    is_sized = any(case.spacing_mm is not None for case in cases)
    is_ruled = any(case.label_rule for case in cases)
    columns = [*_BEFORE, *annotators, *(_CHANNEL + name for name in channels)]
    columns += [*_AFTER, *([_PIXEL] * is_sized), *([_RULE] * is_ruled)]
    writer = csv.writer(file)
    writer.writerow(columns)
    for case in cases:
        start = [getattr(case, name) for name in _BEFORE]
        more = [case.annotators.get(name, "") for name in annotators]
        more += [case.channels.get(name, "") for name in channels]
        line = [*start, *more, case.split, int(case.ignore)]
        line += [_as_text(case)] * is_sized + [case.label_rule] * is_ruled
        writer.writerow(line)


def check_names(cases: list[StudyCase], path: Path) -> None:
    """Refuse a name that cannot be one, or that two cases have.

    Raises
    ------
    InputError
        The sentence names it.
    """
    seen = set()
    for case in cases:
        for what, name in (("case", case.case), ("patient", case.patient)):
            if not _NAME.fullmatch(name) or name.startswith("."):
                raise InputError(
                    f"A {what}'s name must consist of letters, digits and _ . -; got "
                    f"'{name}' in {path}. Rename it.",
                    plain=(
                        f"This name of a {what} cannot be used. Take letters, digits "
                        "and _ . - alone."
                    ),
                )
        if case.case in seen:
            raise InputError(
                f"Each case must have a name of its own; got '{case.case}' twice in "
                f"{path}. Rename one.",
                plain=f"There are two cases '{case.case}' in {path}. Rename one.",
            )
        seen.add(case.case)


def read_pixel(text: str, of: str) -> tuple[float, float] | None:
    """Return height and width of a pixel in mm from ``0.1`` or ``0.1x0.12``.

    Raises
    ------
    InputError
        If it is no size; ``of`` says whose it is.
    """
    if not text.strip():
        return None
    try:
        sides = [float(part) for part in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not all(0 < side < 1000 for side in sides):
        raise InputError(
            f"A pixel size must be mm above 0, as 0.1 or 0.1x0.12; got '{text}' for "
            f"{of}. Correct it.",
            plain=(
                f"'{text}' is no pixel size for {of}. Write it in mm, as 0.1 or "
                "0.1x0.12."
            ),
        )
    return sides[0], sides[-1]


def sized(scan: Volume, case: StudyCase) -> Volume:
    """Return a scan with the pixel size that its line of the manifest states.

    Raises
    ------
    InputError
        If the scan's own file states another.
    """
    from napari_microus.core.volume import UNKNOWN, Volume

    if case.spacing_mm is None:
        return scan
    if not scan.has_geometry:
        placed = Volume.from_spacing(scan.array, (1.0, *case.spacing_mm))
        placed.metadata.update(scan.metadata, frame_distance=UNKNOWN)
        return placed
    own = scan.spacing_mm[1:]
    if any(abs(a - b) > 1e-3 * b for a, b in zip(own, case.spacing_mm, strict=True)):
        raise InputError(
            f"The pixel size in {MANIFEST} must be that of the file; got "
            f"{_as_text(case)} mm for case '{case.case}', whose file states "
            f"{own[0]:g}x{own[1]:g} mm. Correct {_PIXEL}, or leave it empty.",
            plain=(
                f"The study says {_as_text(case)} mm for the pixels of case "
                f"'{case.case}', and its file {own[0]:g}x{own[1]:g} mm. Correct "
                f"{_PIXEL}, or leave it empty."
            ),
        )
    return scan


def _as_text(case: StudyCase) -> str:
    if case.spacing_mm is None:
        return ""
    height, width = case.spacing_mm
    return f"{height:g}" if height == width else f"{height:g}x{width:g}"


def _read_row(
    row: dict[str, str | None], annotators: list[str], path: Path
) -> StudyCase:
    values = {key: (value or "").strip() for key, value in row.items() if key}
    split = values.get("split", "")
    if split and split not in SPLITS and not _FOLD.fullmatch(split):
        raise InputError(
            f"A split must be {', '.join(SPLITS)}, foldN or empty; got '{split}' for "
            f"case '{values['case']}' in {path}. Correct the line.",
            plain=(
                f"There is no part '{split}' of a study, as the line of case "
                f"'{values['case']}' in {path} says. Write {', '.join(SPLITS)}, "
                "foldN or nothing."
            ),
        )
    return StudyCase(
        **{name: values.get(name, "") for name in _BEFORE},
        annotators={name: values[name] for name in annotators if values.get(name)},
        split=split,
        ignore=values.get("ignore", "").lower() in ("1", "true", "yes"),
        spacing_mm=read_pixel(values.get(_PIXEL, ""), f"case '{values['case']}'"),
        channels={
            name.removeprefix(_CHANNEL): file
            for name, file in values.items()
            if name.startswith(_CHANNEL) and file
        },
        label_rule=values.get(_RULE, ""),
    )
