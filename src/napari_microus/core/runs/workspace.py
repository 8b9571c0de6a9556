"""Where studies and runs lie, remembered from session to session."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import MicroUSError
from napari_microus.core.files import atomic_write
from napari_microus.core.hard_region import KERNEL_SIZES
from napari_microus.core.runs.folder import RunStatus, list_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_STUDIES = 10
_KERNEL = "kernel_sizes.json"


class Workspace:
    """The studies that were opened, and the folders in which runs are made.

    Parameters
    ----------
    folder : Path, optional
        Where this is remembered and runs without a study lie; None takes the
        user's data folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            from platformdirs import user_data_path

            folder = user_data_path("napari-microus", appauthor=False)
        self.folder = folder

    @property
    def studies(self) -> list[Path]:
        """The studies that are still there, the latest first."""
        try:
            text = (self.folder / "studies.json").read_text(encoding="utf-8")
            paths = [Path(str(name)) for name in json.loads(text)]
        except (OSError, ValueError, TypeError):
            return []
        return [path for path in paths if (path / "manifest.csv").is_file()]

    def remember(self, study: Path) -> None:
        """Put a study on top of the list."""
        study = study.absolute()
        others = [path for path in self.studies if path != study]
        names = [str(path) for path in [study, *others][:_MOST_STUDIES]]
        path = self.folder / "studies.json"
        with atomic_write(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(names), encoding="utf-8")

    def hand_kernel_sizes(self, sizes: Sequence[int]) -> None:
        """Keep the hard region's kernels for the next run, see `take_kernel_sizes`."""
        path = self.folder / _KERNEL
        with atomic_write(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(list(sizes)), encoding="utf-8")

    def take_kernel_sizes(self) -> list[int] | None:
        """Return what was handed over since it was last taken, None if nothing."""
        path = self.folder / _KERNEL
        try:
            sizes = json.loads(path.read_text(encoding="utf-8"))
            path.unlink()
        except (OSError, ValueError):
            return None
        is_list = isinstance(sizes, list) and len(sizes) == len(KERNEL_SIZES)
        whole = is_list and all(isinstance(one, int) and one > 0 for one in sizes)
        return sizes if whole else None

    def runs_folder(self, study: Path | None) -> Path:
        """Return where the runs on a study lie, or those on phantoms."""
        return (self.folder if study is None else study) / "runs"

    def runs(self) -> list[RunStatus]:
        """Return the runs of all studies known, the latest first."""
        found: list[RunStatus] = []
        for folder in (self.runs_folder(None), *map(self.runs_folder, self.studies)):
            try:
                found += list_runs(folder)
            except (MicroUSError, OSError):
                continue  # removed while we looked
        return sorted(found, key=lambda run: run.started, reverse=True)

    def new_run(self, study: Path | None, name: str) -> Path:
        """Return a folder for a run that does not exist yet."""
        folder = self.runs_folder(study)
        label = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
        number = 1
        while (folder / f"{label}-{number}").exists():
            number += 1
        return folder / f"{label}-{number}"
