"""The scans, channels and masks of a study's cases, as volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.study.table import sized

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.study.table import StudyCase
    from napari_microus.core.volume import Volume


class CaseFiles:
    """The files that a study's table names.

    Attributes
    ----------
    folder : Path
        Of the study; names in its table start here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, file: str) -> Path:
        """Return the path of a file that the manifest names."""
        return self.folder / file  # an absolute name stays as it is

    def read_scan(self, case: StudyCase) -> Volume:
        """Read a case's image, with the pixel size that the manifest states.

        Raises
        ------
        InputError
            If the file cannot be read, or states another pixel size itself.
        """
        from napari_microus.core.io import read_volume

        return sized(read_volume(self.path(case.image)), case)

    def states_size(self, case: StudyCase) -> bool:
        """Return whether a case's pixel size is known, from its file or the table."""
        from napari_microus.core.io.headers import states_size

        return case.spacing_mm is not None or states_size(self.path(case.image))

    tells_size = states_size  # its name before, for one release

    def read(self, case: StudyCase) -> tuple[Volume, Volume, Volume | None]:
        """Read a case's scan, expert mask and, where there is one, non-expert mask.

        Raises
        ------
        InputError
            If there is no expert mask, or a mask is not on the scan's grid.
        """
        if not case.expert:
            raise InputError(
                f"A case must have an expert mask to learn from; got none for "
                f"'{case.case}'. Annotate it, or set ignore to 1.",
                plain=(
                    f"Case '{case.case}' has no expert mask to learn from. Annotate "
                    "it, or set ignore to 1."
                ),
            )
        scan = self.read_scan(case)
        expert = self.read_mask(case, case.expert, scan)
        if not case.nonexpert:
            return scan, expert, None
        return scan, expert, self.read_mask(case, case.nonexpert, scan)

    def read_channels(
        self, case: StudyCase, names: Sequence[str] = ()
    ) -> dict[str, Volume]:
        """Read the channels of a case, each on its own grid.

        Parameters
        ----------
        case : StudyCase
            A case of one channel has it under the name "image".
        names : sequence of str
            Which, in this order; all where none is named.

        Raises
        ------
        InputError
            If the case lacks one, or it cannot be read.
        """
        from napari_microus.core.io import read_volume

        files = case.channels or {"image": case.image}
        lacking = [name for name in names if not files.get(name)]
        if lacking:
            raise InputError(
                f"A case must have the channels {', '.join(names)}; got "
                f"{', '.join(files)} for '{case.case}'. Add the file of "
                f"'{lacking[0]}', or set ignore to 1.",
                plain=(
                    f"Case '{case.case}' lacks the channel '{lacking[0]}'. Add its "
                    "file, or set ignore to 1."
                ),
            )
        return {
            name: sized(read_volume(self.path(files[name])), case)
            for name in names or files
        }

    def read_mask(self, case: StudyCase, file: str, scan: Volume) -> Volume:
        """Read one of a case's masks and insist that it lies on the scan's grid.

        Raises
        ------
        InputError
            If it cannot be read or lies elsewhere, with the case's name.
        """
        from napari_microus.core.io import read_labels, read_mask
        from napari_microus.core.io.masks import placed_on
        from napari_microus.core.multichannel.label_rules import by_rule

        try:
            if case.label_rule:
                labels = read_labels(self.path(file))
                return placed_on(by_rule(labels, case.label_rule), scan)
            if case.spacing_mm is None:
                return read_mask(self.path(file), grid=scan)
            return _mask_of_sized(self.path(file), scan)
        except InputError as error:
            raise error.at(f"Case '{case.case}' ({file})") from error


def _mask_of_sized(path: Path, scan: Volume) -> Volume:
    """Read a mask; one that states no place either lies on its scan's pixels."""
    from napari_microus.core.io import read_mask

    mask = read_mask(path)
    if mask.has_geometry or mask.shape != scan.shape:
        return read_mask(path, grid=scan)
    return scan.like(mask.array)
