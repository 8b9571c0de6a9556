"""What a case is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_microus.core.case.scan_reference import ScanReference
    from napari_microus.core.edit.review import Review
    from napari_microus.core.measure import Measurements
    from napari_microus.core.volume import Volume

#: The file that makes a folder a case.
DOCUMENT = "case.json"
FORMAT = "napari-microus case"
VERSION = 1
#: Stands in every file of a case and on every report.
USE = "Research use only: not a medical device, and not for clinical decisions."


@dataclass(frozen=True, eq=False)
class CaseMask:
    """A mask of a case beside its capsule, such as a second annotator's.

    Parameters
    ----------
    mask : Volume
        0, 1, and 255 for undecided, on the scan's grid.
    provenance : dict
        Who drew it.
    """

    mask: Volume
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Case:
    """A case that was saved or opened.

    Attributes
    ----------
    folder : Path
        Where it lies.
    code : str
        The pseudonym under which it is known.
    scan : Volume or None
        The scan with the sizes that the case states; None where it was not asked for,
        see `read_case`.
    mask : Volume
        The capsule: 0, 1, and 255 for undecided, on the scan's grid.
    provenance : dict
        Who drew it.
    review : Review
        State of every frame.
    measurements : Measurements
        What was measured when it was saved.
    note : str
        What a person wrote about it.
    others : mapping of str to CaseMask
        Further masks by name.
    reference : ScanReference
        How the scan is known again.
    created, modified : str
        When it was first and last saved, in UTC.
    revision : int
        How often it was saved.
    notices : tuple of str
        What the user should know about the scan and about what changed since.
    """

    folder: Path
    code: str
    scan: Volume | None
    mask: Volume
    provenance: dict[str, Any]
    review: Review
    measurements: Measurements
    note: str
    others: Mapping[str, CaseMask]
    reference: ScanReference
    created: str
    modified: str
    revision: int
    notices: tuple[str, ...] = ()
