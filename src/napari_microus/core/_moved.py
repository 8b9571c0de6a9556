"""Old names of modules that moved; each works for one release, with a warning."""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_CORE = "napari_microus.core."

MOVED = {
    "compare.masks": "mask",
    "compare.disagreement": "disagreement",
    "compare.sidecar": "compare.adjudication.sidecar",
    "compare.journal": "compare.adjudication.journal",
    "compare.pairing": "io.pairing",
    "compare.adjudication.going_on": "compare.adjudication.resuming",
    "reproduce.statistics": "statistics",
    "study.training": "train.study_frames",
    "study.next_case": "next_case",
    "models.bundle": "library.bundle",
    "train.config": "config.train",
    "train.runs": "runs.folder",
    "train.event_log": "runs.event_log",
    "train.guard": "train.model_comparison",
    "library.shelf": "library.catalog",
    "library.folder": "library.store",
}
"""Old module name under ``napari_microus.core`` to the new one."""

_ELSEWHERE = {
    "napari_microus.widgets._layers": "napari_microus.widgets._shared.layers",
}


class _Alias(Loader):
    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warnings.warn(
            f"{self._old} is now {self._new}; the old name goes with the next release.",
            FutureWarning,
            stacklevel=2,
        )
        module = importlib.import_module(self._new)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module, which has run under its new name, its own spec back."""
        module.__spec__ = self._spec


class _Finder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        new = _ELSEWHERE.get(fullname)
        moved = MOVED.get(fullname.removeprefix(_CORE))
        if moved is not None and fullname.startswith(_CORE):
            new = _CORE + moved
        return None if new is None else ModuleSpec(fullname, _Alias(fullname, new))


def install() -> None:
    """Let the old names be imported."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
