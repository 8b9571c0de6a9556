"""The section *Packages and downloads*: what is installed, and what can go."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MicroUSLib.failure import shown_plainly

from .install import Installer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import SimpleNamespace

_WEIGHTS = ("*.npz", "*.pth", "*.part")


class PackagesPanel:
    """Ties the widgets of the section to the installer.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    make_installer : callable
        Makes the installer for a folder of wheels ("" for the network).
    """

    def __init__(
        self, ui: SimpleNamespace, make_installer: Callable[..., Installer] = Installer
    ) -> None:
        self._ui = ui
        self._make_installer = make_installer
        ui.installButton.clicked.connect(self._on_install)
        ui.deleteWeightsButton.clicked.connect(self.delete_weights)
        ui.packagesSection.contentsCollapsed.connect(self.refresh)

    def ensure(self) -> bool:
        """Install what is missing, with consent; see `Installer.ensure`."""
        installer = self._make_installer(
            self._ui.wheelsPathLineEdit.currentPath, report=self._say
        )
        is_new = installer.ensure()
        if is_new:
            self.refresh()
        return is_new

    def refresh(self, *args: object) -> None:
        """Show what is missing and what was downloaded."""
        missing = self._make_installer("").missing()
        self._say(
            _("Missing: {0}.").format(", ".join(missing))
            if missing
            else _("All packages are there.")
        )
        found = [] if missing else downloads()
        size = sum(_size(path) for path in found) / 1e6
        self._ui.weightsLabel.text = _("{0} downloads, {1:,.0f} MB.").format(
            len(found), size
        )
        self._ui.deleteWeightsButton.enabled = bool(found)

    def _on_install(self, *args: object) -> None:
        with shown_plainly(_("The packages were not installed.")):
            if not self.ensure():
                self._say(_("All packages are there."))

    def delete_weights(self, *args: object) -> None:
        """Delete downloaded weights and imported models, after asking."""
        with shown_plainly(_("The downloads were not deleted.")):
            found = downloads()
            listed = "\n".join(f"- {p} ({_size(p) / 1e6:,.0f} MB)" for p in found)
            if found and slicer.util.confirmOkCancelDisplay(
                _(
                    "Delete these downloads?\n\n{0}\n\nModels that you trained stay."
                ).format(listed),
                _("MicroUS: delete downloaded weights"),
            ):
                for path in found:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            self.refresh()

    def _say(self, words: str) -> None:
        self._ui.packagesLabel.text = words
        slicer.app.processEvents()


def downloads() -> list[Path]:
    """Return files of downloaded weights, and models made from a foreign file."""
    from napari_microus.core.library import library_folder, list_models

    home = library_folder().parent
    files = [path for kind in _WEIGHTS for path in home.rglob(kind)]
    imported = [
        model.path
        for model in list_models()
        if not model.is_bundled and "source" in model.config
    ]
    return sorted(files) + imported


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
