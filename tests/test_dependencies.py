"""What is installed with us is what we need: no more, no less, and known to a digit."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "napari_microus"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
BASE = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
EXTRAS = PROJECT["optional-dependencies"]

#: What no module of ours names, and why it is installed all the same.
UNNAMED = {
    "einops": "MONAI's SwinUNETR needs it",
    "partsegcore-compiled-backend": "napari colours masks with it, see pyproject.toml",
    "pyjpegls": "pydicom's decoder of JPEG-LS",
    "pylibjpeg": "pydicom's decoder of JPEG, through its plugins",
    "pylibjpeg-openjpeg": "pylibjpeg's plugin for JPEG 2000",
}
#: What is imported where somebody asked for it by an extra.
BY_EXTRA = {
    "distributed": "dask",
    "imageio-ffmpeg": "film",
    "mlflow-skinny": "mlflow",
    "openvino": "openvino",
}
#: Modules that more than one distribution brings.
OF_SEVERAL = {"mlflow": "mlflow-skinny"}
#: What comes with napari, and is used where napari is there already.
WITH_NAPARI = {"napari", "pint"}


def modules_of(path):
    """Give each third-party module that a file imports, by name or by a string."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            "import_module"
        ):
            names = [a.value for a in node.args if isinstance(a, ast.Constant)]
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "napari_microus":
                yield top


def imported(folder):
    """Return the distributions that the files below a folder import."""
    owners = packages_distributions()
    modules = {name for path in folder.rglob("*.py") for name in modules_of(path)}
    return {
        canonicalize_name(OF_SEVERAL.get(owner, owner))
        for module in modules
        for owner in owners.get(module, [module])
    }


def test_every_import_is_of_a_dependency():
    assert imported(SOURCE) - BASE - set(BY_EXTRA) <= WITH_NAPARI
    for name, extra in BY_EXTRA.items():
        listed = {canonicalize_name(Requirement(one).name) for one in EXTRAS[extra]}
        assert name in listed


def test_every_dependency_is_imported_or_has_its_reason():
    assert BASE - imported(SOURCE) == set(UNNAMED)


def test_the_core_needs_the_base_alone():
    assert imported(SOURCE / "core") - set(BY_EXTRA) <= BASE


def test_neither_napari_nor_a_qt_binding_comes_with_the_base():
    assert not BASE & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6"}


@pytest.mark.parametrize("extra", ["base", "all", "test"])
def test_locked_versions_are_within_what_is_asked_for(extra):
    lines = (ROOT / "locked.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    locked = {canonicalize_name(name): version for name, version in pairs}
    asked = PROJECT["dependencies"] if extra == "base" else EXTRAS[extra]
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{name} is not locked; run `make lock`"
        assert requirement.specifier.contains(locked[name]), (name, locked[name])
    assert all(re.fullmatch(r"[0-9][0-9a-z.!]*", v) for v in locked.values())
