"""What happens in a thread when cases are added to a study, imported or checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.mask import as_mask
from napari_microus.core.study import StudyCase, check_study, import_folder
from napari_microus.core.study.table import sized
from napari_microus.widgets._shared.layers import geometry, volume_from_layer_data

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from napari.layers import Layer

    from napari_microus.core.study import Finding, Study
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class LayerData:
    """A layer's data and attributes, taken in the window's thread."""

    name: str
    data: Any
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, layer: Layer) -> LayerData:
        """Return what the thread needs of a layer."""
        data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
        rgb = getattr(layer, "rgb", False)
        attributes = {**geometry(layer), "metadata": layer.metadata, "rgb": rgb}
        return cls(layer.name, data, attributes)

    def volume(self) -> Volume:
        """Return the scan, placed where the layer lies."""
        return volume_from_layer_data(self.data, self.attributes)

    def states_size(self) -> bool:
        """Return whether the layer's units are lengths."""
        shape = self.data.shape[: -1 if self.attributes["rgb"] else None]
        empty = np.broadcast_to(np.uint8(0), shape)
        try:
            grid = volume_from_layer_data(empty, {**self.attributes, "rgb": False})
        except InputError:  # said when it is added
            return True
        return grid.has_geometry

    def mask(self) -> Volume:
        """Return the annotation as 0, 1 and 255 by the rules of `as_mask`.

        Raises
        ------
        InputError
            If the layer holds several labels, or fractions.
        """
        volume = self.volume()
        return volume.like(as_mask(volume.array, name=f"'{self.name}'"))


def add_layers(
    study: Study,
    case: str,
    patient: str,
    layers: list[LayerData],
    pixel_mm: float = 0.0,
) -> Generator[Event, None, str]:
    """Write a scan and up to two annotations; return what to show the user.

    Where the study has the scan without an annotation, that one gets them. A
    ``pixel_mm`` above 0 is the pixel size of a scan that states none.
    """
    yield Progress(0, len(layers), "layers", "Writing")
    image, *masks = layers
    scan = image.volume()
    volumes = [mask.mask() for mask in masks]
    for layer, volume in zip(masks, volumes, strict=True):
        if not (volume.array == 1).any():
            raise InputError(
                "An annotation must show the capsule somewhere; got the empty layer "
                f"'{layer.name}'. Draw it, or choose another layer.",
                plain=(
                    f"Nothing is drawn in '{layer.name}'. Draw the capsule, or "
                    "choose another layer."
                ),
            )
    if pixel_mm > 0 and not scan.has_geometry:
        scan = sized(scan, StudyCase(case, patient, "", spacing_mm=(pixel_mm,) * 2))
        volumes = [scan.like(volume.array) for volume in volumes]
    expert, nonexpert = [*volumes, None, None][:2]
    waiting = next((c for c in study.cases if c.case == case and not c.expert), None)
    if expert is not None and waiting is not None:
        if not np.array_equal(study.read_scan(waiting).array, scan.array):
            raise InputError(
                f"An annotation must belong to its case's scan; got another image for "
                f"'{case}'. Choose that scan, or give the case another name.",
                plain=(
                    f"Case '{case}' has another scan. Choose that scan, or give "
                    "this case another name."
                ),
            )
        study.add_masks(case, expert, nonexpert)
        return f"Annotated '{case}'. The study has {count_cases(study.used)}."
    study.add_case(case, patient, scan, expert, nonexpert)
    later = "" if expert is not None else ", to be annotated"
    return f"Added '{case}'{later}. The study has {count_cases(study.used)}."


def import_cases(
    study: Study, folder: Path, pattern: str | None, labels: Sequence[str] = ()
) -> Generator[Event, None, str]:
    """List the scans of a folder; return what to show the user."""
    yield Progress(0, 1, "folders", "Importing")
    notes = import_folder(study, folder, patient_pattern=pattern, labels=labels)
    return " ".join(notes)


def check_cases(study: Study) -> Generator[Event, None, str]:
    """Look at every case; return the report."""
    findings: list[Finding] = yield from check_study(study)
    counts = count_cases(study.used)
    if not findings:
        return f"Checked {counts}: nothing to correct."
    lines = [f"Checked {counts}:"]
    for finding in findings:
        lines.append(f"• {finding.level}, {finding.case or 'study'}: {finding.message}")
    return "\n".join(lines)


def free_patient(study: Study) -> str:
    """Return a pseudonym that no case has."""
    taken = {case.patient for case in study.cases}
    return next(n for i in range(1, len(taken) + 2) if (n := f"P{i:03d}") not in taken)


def count_cases(cases: Sequence[StudyCase]) -> str:
    """Return how many cases of how many patients there are."""
    patients = len({case.patient for case in cases})
    return (
        f"{len(cases)} case{'s' * (len(cases) != 1)} of {patients} "
        f"patient{'s' * (patients != 1)}"
    )
