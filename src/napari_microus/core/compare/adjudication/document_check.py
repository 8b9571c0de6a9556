"""Refuse a sidecar whose fields make no sense, by the name of the field."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.adjudication.run_lengths import decode_runs
from napari_microus.core.compare.adjudication.votes import (
    CODE_OF_DECISION,
    MOST_ANNOTATORS,
    Decision,
    coding_of,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.events import Event

FORMAT = "napari-microus-adjudication"
VERSION = 2
# Longer texts and larger grids are no adjudication that this program wrote.
_LONGEST_TEXT = 10_000
_LARGEST_AXIS = 100_000
_REGIONS_AT_ONCE = 200
_LARGEST_MM = 1e6
# What a header keeps of a pixel's size may differ by so much between programs.
_ROUNDED = 1e-3
_ACTIONS = ("decide", "reopen", "draw", "undo", "redo")


def check_kind(document: Any) -> None:
    """Refuse what is no adjudication of a version this program can read.

    Raises
    ------
    InputError
        With a sentence that names the version and what to do.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(
            f"The sidecar must be a {FORMAT} file; got another kind of JSON. "
            "Choose the file that lies beside the adjudicated mask.",
            plain=(
                "This file is no record of decisions. Choose the one that lies "
                "beside the adjudicated mask."
            ),
        )
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(
            f"A sidecar must carry a version; got {version!r}. Load another copy.",
            plain=(
                "This record of decisions is damaged: it has no version. Load "
                "another copy."
            ),
        )
    if version > VERSION:
        raise InputError(
            f"A sidecar must be of version {VERSION} or older; got {version}. "
            "Update napari-microus, or use the version that saved it.",
            plain=(
                "This adjudication was saved by a newer version of the "
                "program. Update napari-microus."
            ),
        )


def checking_document(document: Any) -> Generator[Event, None, None]:
    """Refuse a document with a field that is missing, of a wrong kind or at odds.

    Yields after some regions each.

    Its shape must be that of masks at hand, else memory may not do: `check_kind`
    and the shape come first.

    Raises
    ------
    InputError
        With the name of the field, what it must hold and what it holds.
    """
    check_kind(document)
    for name in ("created", "modified"):
        _time(document, name)
    for name in ("who", "expert", "nonexpert"):
        _text(document, name)
    shape = _numbers(document, "shape", _is_axis, "three whole numbers above 0")
    _numbers(document, "spacing_mm", _is_size, "three sizes above 0")
    digest = _get(document, "masks_sha256")
    _must(_is_digest(digest), "masks_sha256", "a SHA-256", digest)
    for name in ("settings", "provenance_codes"):
        _must(isinstance(_get(document, name), dict), name, "an object", document[name])
    codes = document["provenance_codes"].values()
    _must(all(map(_is_text, codes)), "provenance_codes", "names", list(codes))
    others = document.get("others", [])
    _must(
        isinstance(others, list)
        and len(others) <= MOST_ANNOTATORS - 2
        and all(_is_text(other) for other in others),
        "others",
        "at most five names",
        others,
    )
    allowed = _allowed(2 + len(others))
    numbers = yield from _checking_regions(document, shape, allowed)
    _check_log(document, numbers, allowed)
    _check_runs(document, "hand_drawn", shape, range(256))
    if document["version"] > 1:
        _check_second_version(document, shape, numbers, allowed)


def _allowed(annotators: int) -> frozenset[str]:
    ones = coding_of(annotators).decisions()
    others = (Decision.undecided, Decision.parts, Decision.between)
    return frozenset(str(decision) for decision in (*ones, *others))


def _checking_regions(
    document: dict[str, Any], shape: Sequence[int], allowed: frozenset[str]
) -> Generator[Event, None, set[int]]:
    items = _get(document, "regions")
    _must(isinstance(items, list), "regions", "a list", items)
    taken = np.zeros(int(np.prod(shape)), bool)
    for position, item in enumerate(items):
        name = f"regions[{position}]"
        _must(isinstance(item, dict), name, "an object", item)
        number = _get(item, "number", name)
        right = _is_whole(number) and number == position + 1
        _must(right, f"{name}.number", str(position + 1), number)
        pixels = _check_place(item, name, shape, document["spacing_mm"])
        _must(not taken[pixels].any(), f"{name}.runs", "pixels of no other", "shared")
        taken[pixels] = True
        _check_verdict(
            [_get(item, key, name) for key in ("decision", "who", "when")],
            item.get("share"),
            name,
            allowed,
        )
        if position % _REGIONS_AT_ONCE == 0:
            what = "Checking the decisions"
            yield Progress(position, len(items), "regions", what)
    return set(range(1, len(items) + 1))


def _check_place(
    item: dict[str, Any],
    name: str,
    shape: Sequence[int],
    spacing_mm: Sequence[float],
) -> NDArray[np.int64]:
    """Check where a region lies and how it was measured; return its pixels."""
    box = _get(item, "box", name)
    right = isinstance(box, list) and len(box) == 3
    right = right and all(
        isinstance(part, list)
        and len(part) == 2
        and all(_is_whole(end) for end in part)
        and 0 <= part[0] < part[1] <= size
        for part, size in zip(box, shape, strict=True)
    )
    _must(right, f"{name}.box", f"three ranges inside {tuple(shape)}", box)
    pixels = _runs(_get(item, "runs", name), f"{name}.runs", shape)
    count = _get(item, "pixels", name)
    right = _is_whole(count) and count == len(pixels) > 0
    _must(right, f"{name}.pixels", f"{len(pixels)}, as many as in its runs", count)
    axes = _axes(pixels, shape)
    ends = [[int(axis.min()), int(axis.max()) + 1] for axis in axes]
    _must(box == ends, f"{name}.box", f"the box around its pixels, {ends}", box)
    per_frame = np.bincount(axes[0] - box[0][0])
    frame = _get(item, "frame", name)
    right = _is_whole(frame) and box[0][0] <= frame < box[0][1]
    right = right and per_frame[frame - box[0][0]] == per_frame.max()
    _must(right, f"{name}.frame", "the frame in which it is widest", frame)
    frames = int((per_frame > 0).sum())
    got = _get(item, "frames", name)
    right = _is_whole(got) and got == frames
    _must(right, f"{name}.frames", f"{frames}, as many as in its runs", got)
    _, y, x = spacing_mm
    extent = max((box[1][1] - box[1][0]) * y, (box[2][1] - box[2][0]) * x)
    for key, size in (
        ("area_mm2", float(per_frame.max()) * y * x),
        ("extent_mm", extent),
    ):
        value = _get(item, key, name)
        right = _is_number(value) and abs(value - size) <= _ROUNDED * size + 1e-6
        _must(right, f"{name}.{key}", f"{size:.6g}, the size of its pixels", value)
    distance = _get(item, "distance_mm", name)
    farthest = math.hypot(shape[1] * y, shape[2] * x)
    right = distance is None or (_is_number(distance) and 0 <= distance <= farthest)
    _must(right, f"{name}.distance_mm", "a distance in the picture, or null", distance)
    drawn_by = _get(item, "drawn_by", name)
    right = isinstance(drawn_by, str) and drawn_by in ("expert", "nonexpert", "both")
    _must(right, f"{name}.drawn_by", "expert, nonexpert or both", drawn_by)
    return pixels


def _check_verdict(
    stored: Sequence[Any], share: Any, name: str, allowed: frozenset[str]
) -> None:
    decision, who, when = stored
    is_share = share is None or (_is_number(share) and 0 <= share <= 1)
    _must(is_share, f"{name}.share", "a number from 0 to 1, or null", share)
    if decision is None:
        _must(who is None and when is None, f"{name}.who", "null as its decision", who)
        return
    right = isinstance(decision, str) and decision in allowed
    _must(right, f"{name}.decision", "a decision of this adjudication", decision)
    _must(_is_text(who), f"{name}.who", "a text", who)
    _must(_is_time(when), f"{name}.when", "a time", when)


def _check_log(
    document: dict[str, Any], numbers: set[int], allowed: frozenset[str]
) -> None:
    items = _get(document, "log")
    _must(isinstance(items, list), "log", "a list", items)
    for position, item in enumerate(items):
        name = f"log[{position}]"
        _must(isinstance(item, dict), name, "an object", item)
        _time(item, "when", name)
        _text(item, "who", name)
        action = _get(item, "action", name)
        known = isinstance(action, str) and action in _ACTIONS
        _must(known, f"{name}.action", "one of " + ", ".join(_ACTIONS), action)
        region = _get(item, "region", name)
        right = _is_whole(region) and (region in numbers or region == 0)
        _must(right, f"{name}.region", "the number of a region", region)
        decision = _get(item, "decision", name)
        right = decision is None or (isinstance(decision, str) and decision in allowed)
        _must(right, f"{name}.decision", "a decision, or null", decision)


def _check_second_version(
    document: dict[str, Any],
    shape: Sequence[int],
    numbers: set[int],
    allowed: frozenset[str],
) -> None:
    digests = _get(document, "mask_sha256")
    count = 2 + len(document.get("others", []))
    right = isinstance(digests, list) and len(digests) == count
    right = right and all(_is_digest(digest) for digest in digests)
    _must(right, "mask_sha256", f"{count} SHA-256", digests)
    affine = _get(document, "affine")
    right = affine is None or (
        isinstance(affine, list)
        and len(affine) == 4
        and all(isinstance(row, list) and len(row) == 4 for row in affine)
        and all(_is_number(v) and abs(v) <= _LARGEST_MM for row in affine for v in row)
    )
    _must(right, "affine", "four rows of four numbers, or null", affine)
    codes = {*CODE_OF_DECISION.values(), 4, 5}
    _check_runs(document, "decided_by_pixel", shape, codes)
    notes = _get(document, "notes")
    _must(isinstance(notes, dict), "notes", "an object", notes)
    for number, note in notes.items():
        name = f"notes.{number}"
        _must(_is_key(number, numbers), name, "the number of a region", number)
        _must(isinstance(note, dict), name, "an object", note)
        _text(note, "reason", name)
        _text(note, "comment", name)
        flag = _get(note, "is_flagged", name)
        _must(isinstance(flag, bool), f"{name}.is_flagged", "true or false", flag)
    _check_history(document, shape, numbers, allowed)


def _check_history(
    document: dict[str, Any],
    shape: Sequence[int],
    numbers: set[int],
    allowed: frozenset[str],
) -> None:
    stored = _get(document, "history")
    _must(isinstance(stored, dict), "history", "an object", stored)
    for part in ("done", "undone"):
        steps = _get(stored, part, "history")
        _must(isinstance(steps, list), f"history.{part}", "a list", steps)
        for position, step in enumerate(steps):
            name = f"history.{part}[{position}]"
            _must(isinstance(step, dict), name, "an object", step)
            _check_step(step, name, numbers, allowed)
            _check_changes(_get(step, "runs", name), f"{name}.runs", shape)


def _check_step(
    step: dict[str, Any], name: str, numbers: set[int], allowed: frozenset[str]
) -> None:
    act = _get(step, "act", name)
    right = isinstance(act, str) and act in ("decide", "reopen", "draw")
    _must(right, f"{name}.act", "decide, reopen or draw", act)
    _text(step, "who", name)
    _time(step, "when", name)
    decision = _get(step, "decision", name)
    right = decision is None or (isinstance(decision, str) and decision in allowed)
    _must(right, f"{name}.decision", "a decision, or null", decision)
    verdicts = _get(step, "verdicts", name)
    _must(isinstance(verdicts, dict), f"{name}.verdicts", "an object", verdicts)
    for number, change in verdicts.items():
        where = f"{name}.verdicts.{number}"
        _must(_is_key(number, numbers), where, "a region's number", number)
        right = isinstance(change, list) and len(change) == 2
        _must(right, where, "a verdict before and after", change)
        for verdict in change:
            if verdict is not None:
                right = isinstance(verdict, list) and len(verdict) == 4
                _must(right, where, "a verdict of four values", verdict)
                _must(verdict[0] is not None, where, "a decision", None)
                _check_verdict(verdict[:3], verdict[3], where, allowed)


def _check_changes(stored: Any, name: str, shape: Sequence[int]) -> None:
    right = isinstance(stored, list) and len(stored) % 3 == 0
    right = right and all(_is_whole(value) and value >= 0 for value in stored)
    _must(right, name, "whole numbers in threes", "others")
    triples = _integers(stored, name).reshape(-1, 3)
    _runs(triples[:, :2].ravel().tolist(), name, shape)
    _must(bool((triples[:, 2] < 1 << 32).all()), name, "values of four bytes", "others")


def _check_runs(
    document: dict[str, Any], name: str, shape: Sequence[int], values: Any
) -> None:
    stored = _get(document, name)
    _must(isinstance(stored, dict), name, "an object", stored)
    taken = np.zeros(int(np.prod(shape)), bool)
    for value, runs in stored.items():
        right = value.isascii() and value.isdecimal() and len(value) < 4
        right = right and int(value) in values
        _must(right, name, "values of a mask as keys", value)
        # Frame after frame, so runs may lie in any order.
        pixels = _runs(runs, f"{name}.{value}", shape)
        _must(not taken[pixels].any(), f"{name}.{value}", "pixels once", "shared ones")
        taken[pixels] = True


def _runs(stored: Any, name: str, shape: Sequence[int]) -> NDArray[np.int64]:
    right = isinstance(stored, list) and all(_is_whole(value) for value in stored)
    _must(right, name, "whole numbers", "others")
    _integers(stored, name)
    try:
        return decode_runs(stored, shape)
    except InputError as error:
        raise InputError(f"The sidecar is damaged (field '{name}'). {error}") from error


def _integers(stored: list[int], name: str) -> NDArray[np.int64]:
    _must(all(abs(value) < 1 << 62 for value in stored), name, "smaller numbers", "one")
    return np.asarray(stored, np.int64)


def _axes(
    pixels: NDArray[np.int64], shape: Sequence[int]
) -> tuple[NDArray[np.int64], ...]:
    return np.unravel_index(pixels, tuple(shape))


def _numbers(
    document: dict[str, Any], name: str, is_one: Callable[[Any], bool], what: str
) -> list[Any]:
    values = _get(document, name)
    right = isinstance(values, list) and len(values) == 3
    right = right and all(is_one(value) for value in values)
    _must(right, name, what, values)
    return list(values)


def _time(item: dict[str, Any], key: str, name: str = "") -> None:
    value = _get(item, key, name)
    _must(_is_time(value), f"{name}.{key}".lstrip("."), "a time", value)


def _text(item: dict[str, Any], key: str, name: str = "") -> None:
    value = _get(item, key, name)
    _must(_is_text(value), f"{name}.{key}".lstrip("."), "a text", value)


def _get(item: dict[str, Any], key: str, name: str = "") -> Any:
    if key not in item:
        field = f"{name}.{key}".lstrip(".")
        raise InputError(
            f"The sidecar is damaged (field '{field}'): it is missing. "
            "Load another copy."
        )
    return item[key]


def _must(right: bool, field: str, what: str, got: Any) -> None:
    if not right:
        shown = repr(got)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}…"
        raise InputError(
            f"The sidecar is damaged (field '{field}'): it must hold {what}; got "
            f"{shown}. Load another copy.",
            plain=(
                f"The record of decisions is damaged at '{field}'. Load another copy."
            ),
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    # A whole number may be too large for a float.
    return abs(value) < 1 << 62 and math.isfinite(value)


def _is_axis(value: Any) -> bool:
    return _is_whole(value) and 0 < value <= _LARGEST_AXIS


def _is_size(value: Any) -> bool:
    return _is_number(value) and 0 < value <= _LARGEST_MM


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _is_digest(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) == 64
        and all(letter in "0123456789abcdef" for letter in value)
    )


def _is_key(value: str, numbers: set[int]) -> bool:
    is_number = value.isascii() and value.isdecimal() and len(value) < 10
    return is_number and int(value) in numbers


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > 40:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
