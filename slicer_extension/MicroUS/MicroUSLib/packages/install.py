"""Install what the module needs, when the user presses Apply and agrees.

The order is torch (by the PyTorch extension), the core's needs, then our package
without its dependencies. Packages that Slicer ships are held at their versions by
a constraints file: a wheel over them breaks Slicer.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import tempfile
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = "napari-microus"
TORCH = ">=2.4.1"
# Slicer's own builds; never installed, replaced or downgraded by us.
SHIPPED = ("numpy", "scipy", "SimpleITK", "Pillow", "vtk")
REQUIREMENTS = Path(__file__).parents[2] / "Resources" / "requirements.txt"


class InstallError(RuntimeError):
    """Packages are missing and were not installed; the message says what to do."""


class Installer:
    """Show what is missing, ask, and install it.

    Parameters
    ----------
    wheels : str or Path, optional
        Folder of wheels to install from without a network.
    confirm : callable, optional
        Asked once with the text that names the packages; Slicer's dialog if None.
    report : callable, optional
        Called with one sentence before each step.
    """

    def __init__(
        self,
        wheels: str | Path | None = None,
        confirm: Callable[[str], bool] | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._wheels = Path(wheels) if wheels else None
        self._confirm = confirm or _ask
        self._report = report or logging.info

    def missing(self) -> list[str]:
        """Return the requirements that are not met, in the order of installation."""
        wanted = [f"torch{TORCH}", *requirements(), PACKAGE]
        return [text for text in wanted if not is_met(text)]

    def ensure(self) -> bool:
        """Install what is missing; return whether anything was installed.

        Raises
        ------
        InstallError
            If the user declines, the PyTorch extension is absent, the folder of
            wheels does not exist, or pip fails.
        """
        missing = self.missing()
        if not missing:
            return False
        if self._wheels is not None and not self._wheels.is_dir():
            raise InstallError(
                f"There is no folder of wheels {self._wheels}. "
                "Choose another, or clear the field to install from the network."
            )
        where = self._wheels or "the network"
        listed = "\n".join(f"- {text}" for text in missing)
        if not self._confirm(
            "MicroUS needs these Python packages (PyTorch alone takes 0.5 to 5 GB):"
            f"\n\n{listed}\n\nInstall them into 3D Slicer from {where}? "
            "This takes some minutes."
        ):
            raise InstallError(
                f"MicroUS needs {len(missing)} Python packages; the installation was "
                "declined. Press Apply again when you want them."
            )
        try:
            with tempfile.TemporaryDirectory(prefix="MicroUS-") as folder:
                self._install(missing, Path(folder))
        except CalledProcessError as error:
            raise InstallError(
                f"The packages could not be installed (pip ended with "
                f"{error.returncode}). Look at the Python console, check the network "
                "(or choose a folder of wheels), and press Apply again."
            ) from error
        importlib.invalidate_caches()
        left = self.missing()
        if left:
            raise InstallError(
                f"{', '.join(left)} is still missing after installing. Restart 3D "
                "Slicer and press Apply again."
            )
        return True

    def _install(self, missing: list[str], folder: Path) -> None:
        if missing[0].startswith("torch"):
            self._report("Installing PyTorch; this is the largest part.")
            self._install_torch()
            missing = missing[1:]
        ours = [text for text in missing if text == PACKAGE]
        others = [text for text in missing if text != PACKAGE]
        if others:
            self._report(f"Installing {len(others)} packages.")
            self._install_others(others, _constraints(folder))
        if ours:
            self._report(f"Installing {PACKAGE}.")
            slicer.util.pip_install([*self._source(), "--no-deps", PACKAGE])

    def _install_torch(self) -> None:
        if self._wheels is not None:
            slicer.util.pip_install([*self._source(), f"torch{TORCH}"])
            return
        try:
            import PyTorchUtils
        except ImportError as error:
            raise InstallError(
                "The extension PyTorch is not installed. Install it in the Extensions "
                "Manager, restart 3D Slicer, and press Apply again."
            ) from error
        logic = PyTorchUtils.PyTorchUtilsLogic()
        if logic.installTorch(False, None, TORCH) is None:
            raise InstallError(
                "The PyTorch extension could not install PyTorch. Install it in the "
                "module PyTorch Utils, then press Apply again."
            )

    def _install_others(self, texts: list[str], constraints: Path) -> None:
        packaging = _packaging()
        if packaging is not None and self._wheels is None:
            packaging.pip_ensure(
                texts,
                constraints=constraints,
                prompt_install=False,  # asked already, once for all
                requester="MicroUS",
            )
            return
        slicer.util.pip_install([*self._source(), "-c", str(constraints), *texts])

    def _source(self) -> list[str]:
        if self._wheels is None:
            return []
        return ["--no-index", "--find-links", str(self._wheels)]


def requirements() -> list[str]:
    """Return the lines of ``Resources/requirements.txt`` that name a package."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return [x.strip() for x in lines if x.strip() and not x.startswith("#")]


def is_met(requirement: str) -> bool:
    """Return whether a requirement such as ``monai>=1.4`` is installed."""
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return wanted.specifier.contains(version, prereleases=True)


def _constraints(folder: Path) -> Path:
    """Write the versions that must stay as they are, and return the file."""
    importlib.invalidate_caches()
    path = folder / "constraints.txt"
    lines = []
    for name in (*SHIPPED, "torch"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        # A local part (2.13.0+cu130) names a build that an index need not have.
        lines.append(f"{name}=={version.partition('+')[0]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _packaging() -> object | None:
    """Return `slicer.packaging` (5.12 and later), or None."""
    try:
        return importlib.import_module("slicer.packaging")
    except ImportError:
        return None


def _ask(text: str) -> bool:
    return bool(
        slicer.util.confirmOkCancelDisplay(text, _("MicroUS: install packages"))
    )
