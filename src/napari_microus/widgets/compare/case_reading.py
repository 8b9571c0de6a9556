"""List and read cases in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.compare.adjudication.resuming import has_unsaved
from napari_microus.core.compare.case_volumes import read_case
from napari_microus.core.compare.work_list import work_list
from napari_microus.widgets.compare.case_layers import ReadMask

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_microus.core.compare.case_volumes import CaseVolumes
    from napari_microus.core.compare.work_list import ListedCase
    from napari_microus.core.events import Event


@dataclass(frozen=True, eq=False)
class CaseRead:
    """A case that was read, its masks by annotator with the expert's first.

    ``has_unsaved`` means that its journal holds decisions that its sidecar does not.
    """

    case: ListedCase
    volumes: CaseVolumes
    masks: dict[str, ReadMask]
    has_unsaved: bool


def list_cases(
    folder: str, pair: tuple[str, str]
) -> Generator[Event, None, list[ListedCase]]:
    """Do what `work_list` does."""
    yield from ()
    return work_list(folder, pair)


def read(
    case: ListedCase, pair: tuple[str, str], journals: Path | None
) -> Generator[Event, None, CaseRead]:
    """Read a case, and look for unsaved decisions about it."""
    volumes = yield from read_case(case, *pair)
    both = (volumes.expert, volumes.nonexpert)
    masks = {name: ReadMask.of(volume) for name, volume in zip(pair, both, strict=True)}
    return CaseRead(case, volumes, masks, has_unsaved(*both, case.result, journals))
