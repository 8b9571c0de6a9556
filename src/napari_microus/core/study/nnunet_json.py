"""An nnU-Net data set's ``dataset.json``: channels, labels, endings and counts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.io import is_readable
from napari_microus.core.multichannel.label_rules import written_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATASET = "dataset.json"
_IGNORE = "ignore"
# Version 1 knows no file_ending.
_ENDING_OF_V1 = ".nii.gz"
_UNFIT = re.compile(r"[^\w.-]+")


class LabelChoiceError(InputError):
    """A data set has several labels, and nobody said which one is the target.

    Attributes
    ----------
    labels : tuple of str
        Their names.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        super().__init__(
            "One label, or several together, must be the target; got a choice of "
            f"{', '.join(labels)}. Name it (--label; again for each further one).",
            plain=(
                f"The data set has several labels: {', '.join(labels)}. Choose which "
                "one is to be learnt (on the command line: --label)."
            ),
        )


@dataclass(frozen=True)
class NnunetDataset:
    """What a ``dataset.json`` of version 1 or 2 states.

    Attributes
    ----------
    channels : tuple of str
        Names, made unique and fit for a column of the manifest.
    labels : dict of tuple of int
        Values of each label or region by its name, without background and ignore.
    values : frozenset of int
        Every value that a mask may hold but the ignored one.
    ignore : int or None
        Value of undecided pixels.
    ending : str
        Of all images and masks, as ``.nii.gz``.
    training : int or None
        Number of training cases.
    files : dict
        Images and mask of training cases that lie elsewhere, by case: version 2's
        ``dataset``.
    """

    channels: tuple[str, ...]
    labels: dict[str, tuple[int, ...]]
    values: frozenset[int]
    ignore: int | None
    ending: str
    training: int | None
    files: dict[str, tuple[list[str], str]] = field(default_factory=dict)

    def rule(self, chosen: Sequence[str]) -> tuple[str, str]:
        """Return the label rule of a target, and a sentence on it where it is a choice.

        Parameters
        ----------
        chosen : sequence of str
            Names of labels, or their values; none where there is but one.

        Raises
        ------
        LabelChoiceError
            If there are several and none was chosen.
        InputError
            If there is no such label.
        """
        if not chosen and len(self.labels) > 1:
            raise LabelChoiceError(list(self.labels))
        names = [self._named(name) for name in chosen] or list(self.labels)
        target = sorted({value for name in names for value in self.labels[name]})
        rule = written_out(target, self.values, self.ignore)
        if not chosen:
            return rule, ""
        listed = " and ".join(dict.fromkeys(names))
        return rule, (
            f"The target is {listed} (value {', '.join(map(str, target))}); other "
            "labels count as background."
        )

    def _named(self, name: str) -> str:
        """Return a label by its name in any case, or by its value."""
        if name in self.labels:
            return name
        alike = [label for label in self.labels if label.lower() == name.lower()]
        if not alike and name.isdecimal():
            alike = [one for one, v in self.labels.items() if v == (int(name),)]
        if len(alike) != 1:
            raise InputError(
                f"The label must be one of {', '.join(self.labels)}; got '{name}'. "
                "Choose one of those.",
                plain=f"The data set has no label '{name}'. Choose from "
                f"{', '.join(self.labels)}.",
            )
        return alike[0]


def read_dataset(source: Path) -> NnunetDataset | None:
    """Return what the ``dataset.json`` of a folder states, None where there is none.

    Raises
    ------
    InputError
        If it cannot be read, or states what makes no sense.
    """
    path = source / DATASET
    if not path.is_file():
        return None
    values = read_json(path)
    if not isinstance(values, dict):
        raise _wrong(path, "settings by their names", type(values).__name__)
    named = values.get("channel_names", values.get("modality"))
    is_v1 = "channel_names" not in values
    labels, ignore = _read_labels(values.get("labels"), path)
    found = {value for label in labels.values() for value in label}
    if ignore is not None and ignore in found:
        raise _wrong(path, "an ignore label of its own value", ignore)
    training = values.get("numTraining")
    if training is not None and (not isinstance(training, int) or training < 1):
        raise _wrong(path, "numTraining as a number above 0", training)
    return NnunetDataset(
        _read_channels(named, path),
        labels,
        frozenset(found | {0}),
        ignore,
        _read_ending(values.get("file_ending", _ENDING_OF_V1 if is_v1 else ""), path),
        training,
        _read_files(values.get("dataset"), path),
    )


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    InputError
        If it cannot be read, or is none.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"The file must be readable; got {path} ({error.strerror}). Check its "
            "permissions.",
            plain=f"{path} cannot be read ({error.strerror}). Check its permissions.",
        ) from error
    except ValueError as error:
        raise InputError(
            f"The file must be JSON; got {path} ({error}). Correct it.",
            plain=f"{path} is no JSON ({error}). Correct it.",
        ) from error


def _read_channels(values: Any, path: Path) -> tuple[str, ...]:
    """Return the channels' names in order; equal ones get their number."""
    is_named = isinstance(values, dict) and bool(values)
    numbers = [str(number) for number in range(len(values))] if is_named else []
    if not is_named or sorted(map(str, values)) != sorted(numbers):
        raise _wrong(path, "channel_names by number from 0", values)
    by_number = {str(key): value for key, value in values.items()}
    names = [_UNFIT.sub("_", str(by_number[n])).strip("_").lower() for n in numbers]
    return tuple(
        name if name and names.count(name) == 1 else f"{name or 'channel'}_{number}"
        for number, name in enumerate(names)
    )


def _read_labels(
    values: Any, path: Path
) -> tuple[dict[str, tuple[int, ...]], int | None]:
    """Return the values of each label but the background, and the ignored one."""
    if not isinstance(values, dict):
        raise _wrong(path, "labels by their names", values)
    pairs = [(str(key), value) for key, value in values.items()]
    if pairs and all(k.isdecimal() and isinstance(v, str) for k, v in pairs):
        pairs = [(name, int(value)) for value, name in pairs]  # version 1
    labels: dict[str, tuple[int, ...]] = {}
    ignore = None
    for name, value in pairs:
        listed = value if isinstance(value, list) else [value]
        is_known = listed and all(type(v) is int and 0 <= v < 256 for v in listed)
        if not is_known:
            raise _wrong(path, "whole numbers from 0 to 255 as labels", value)
        if name == _IGNORE:
            ignore = listed[0]
        elif listed != [0]:
            labels[name] = tuple(listed)
    if not labels:
        raise _wrong(path, "a label besides the background", ", ".join(values))
    return labels, ignore


def _read_ending(value: Any, path: Path) -> str:
    ending = value if isinstance(value, str) else ""
    if not ending.startswith(".") or not is_readable(f"image{ending}"):
        raise InputError(
            f"The file_ending must be one that can be read, such as .nii.gz or .png; "
            f"got {value!r} in {path}. Convert the files, or correct it.",
            plain=f"{path} states the ending {value!r}, and no file of it can be "
            "read. Convert the files to .nii.gz or .png, or correct it.",
        )
    return ending


def _read_files(values: Any, path: Path) -> dict[str, tuple[list[str], str]]:
    """Return images and mask by case, where the files lie elsewhere."""
    if values is None:
        return {}
    found = {}
    for name, files in values.items() if isinstance(values, dict) else [("", values)]:
        images = files.get("images") if isinstance(files, dict) else None
        label = files.get("label") if isinstance(files, dict) else None
        if not isinstance(images, list) or not isinstance(label, str):
            raise _wrong(path, "images and label for each case of dataset", files)
        found[str(name)] = (list(map(str, images)), label)
    return found


def _wrong(path: Path, what: str, value: object) -> InputError:
    return InputError(
        f"A data set's description must have {what}; got {value!r} in {path}. "
        "Correct it.",
        plain=f"{path} needs {what}, and holds {value!r}. Correct it.",
    )
