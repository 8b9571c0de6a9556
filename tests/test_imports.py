"""The core must run where no GUI is installed, such as inside 3D Slicer."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import napari_microus
import napari_microus.core as core

ROOT = Path(__file__).parents[1]
GUI = (
    *("napari", "qtpy", "superqt", "magicgui", "pyqtgraph"),
    *("PyQt5", "PyQt6", "PySide2", "PySide6", "slicer", "qt", "SimpleITK"),
)
MODULES = [m.name for m in pkgutil.walk_packages(core.__path__, f"{core.__name__}.")]


def imports(path: Path) -> set[str]:
    """Every module that a source file names in an import."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_core_imports_without_a_gui_or_simpleitk():
    block = "; ".join(f"sys.modules[{name!r}] = None" for name in GUI)
    code = f"import sys; {block}; import " + ", ".join(MODULES)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("house", "forbidden"),
    [
        ("src/napari_microus/core", ("napari_microus.widgets", "napari_microus.cli")),
        ("src/napari_microus/widgets", ("slicer", "MicroUSLib", "vtk")),
        ("slicer_extension", ("napari_microus.widgets", "napari")),
    ],
)
def test_houses_do_not_call_each_other(house, forbidden):
    for path in (ROOT / house).rglob("*.py"):
        for name in imports(path):
            for other in forbidden:
                assert name != other
                assert not name.startswith(f"{other}."), f"{path} imports {name}"


def test_package_imports_nothing():
    assert imports(Path(napari_microus.__file__)) == set()
