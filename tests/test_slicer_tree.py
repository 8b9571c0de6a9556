"""The Slicer extension as a tree of files: what Slicer and its index ask of it."""

import ast
import json
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[1]
EXTENSION = ROOT / "slicer_extension"
MODULE = EXTENSION / "MicroUS"
SOURCES = [MODULE / "MicroUS.py", *sorted((MODULE / "MicroUSLib").rglob("*.py"))]
SHIPPED = {"numpy", "scipy", "simpleitk", "pillow"}  # with 3D Slicer itself
GUI = {"partsegcore-compiled-backend", "pyqtgraph", "qtpy", "superqt"}  # of the docks

# Slicer/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json, its rules.
CATALOG_SCHEMA = {
    "type": "object",
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string"},
        "category": {"type": "string"},
        "scm_url": {"type": "string"},
        "scm_revision": {"type": "string"},
        "scm_type": {"type": "string", "enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": {"type": "string"}},
        "build_subdirectory": {"type": "string"},
        "enabled": {"type": "boolean"},
        "tier": {"type": "integer", "enum": [1, 3, 5]},
    },
}

# What may be imported when Slicer loads the module at start-up.
LIGHT = {
    *("__future__", "collections", "contextlib", "csv", "dataclasses"),
    *(
        "datetime",
        "functools",
        "importlib",
        "inspect",
        "json",
        "logging",
        "math",
        "os",
        "pathlib",
    ),
    *("shutil", "subprocess", "sys", "tempfile", "threading", "time", "traceback"),
    "typing",
    *("numpy", "qt", "slicer", "vtk", "MicroUSLib", ""),
}
# What computes on pixels, in packages that a module could reach.
ALGORITHMS = {
    *("torch", "monai", "scipy", "skimage", "cv2", "sklearn", "itk", "PIL"),
    *("onnxruntime", "lightning_fabric", "SampleDataLogic"),
}
# NumPy to carry and place arrays; nothing that filters, measures or resamples.
CARRYING = {
    *("append", "array", "arange", "ascontiguousarray", "broadcast_to", "clip"),
    *("flatnonzero", "ndarray", "reshape", "uint8", "unique", "zeros", "zeros_like"),
    *("abs", "count_nonzero", "linalg", "testing"),
}
LINEAR = {"det", "solve"}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(nodes):
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = node.level > 0
            found.add("" if inside else (node.module or "").partition(".")[0])
    return found


def at_file_scope(module):
    """Statements that run on import, those under `if TYPE_CHECKING` left out."""
    for node in module.body:
        is_guard = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(
            node.test
        )
        if not is_guard:
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_loading_the_module_imports_nothing_heavy(path):
    assert imported(at_file_scope(tree(path))) <= LIGHT


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_algorithm_lives_outside_the_core(path):
    nodes = list(ast.walk(tree(path)))
    assert not imported(nodes) & ALGORITHMS
    for node in nodes:
        if not isinstance(node, ast.Attribute):
            continue
        name = ast.unparse(node)
        if name.startswith("np.linalg."):
            assert node.attr in LINEAR, f"{path.name}: {name}"
        elif name.startswith("np.") and name.count(".") == 1:
            assert node.attr in CARRYING, f"{path.name}: {name}"
        filters = re.fullmatch(r"(vtk|slicer)\.vtk\w*(Filter|Image(?!Data)\w+)", name)
        assert not filters or "Resample" in name or name.endswith("ImageMapper"), name


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_only_the_core_of_our_package_is_imported(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "napari_microus"
        ):
            assert node.module.startswith("napari_microus.core")


def test_main_file_holds_the_four_classes_and_wiring_only():
    module = tree(MODULE / "MicroUS.py")
    classes = [node.name for node in module.body if isinstance(node, ast.ClassDef)]
    assert classes == ["MicroUS", "MicroUSWidget", "MicroUSLogic", "MicroUSTest"]
    longest = max(
        len(node.body) for node in ast.walk(module) if isinstance(node, ast.FunctionDef)
    )
    assert longest <= 16


def cmake_list(name):
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    body = re.search(rf"set\({name}\n(.*?)\)", text, re.DOTALL)[1]
    return sorted(body.replace("${MODULE_NAME}", "MicroUS").split())


def files(*patterns):
    found = {
        str(path.relative_to(MODULE))
        for pattern in patterns
        for path in MODULE.glob(pattern)
        if path.is_file()
    }
    return sorted(found)


def test_cmake_lists_are_the_files():
    assert cmake_list("MODULE_PYTHON_SCRIPTS") == files("*.py", "MicroUSLib/**/*.py")
    assert cmake_list("MODULE_PYTHON_RESOURCES") == files("Resources/**/*")


# What the tree asks of Slicer's build system, written down instead of done.
STAND_IN = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/use.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
"""
USE = """
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(ARG "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file ${ARG_SCRIPTS} ${ARG_RESOURCES})
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "missing ${file}")
    endif()
  endforeach()
  message(STATUS "module ${ARG_NAME} left: ${ARG_UNPARSED_ARGUMENTS}.")
endmacro()
macro(slicer_add_python_unittest)
  message(STATUS "unittest ${ARGN}")
endmacro()
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="there is no cmake")
def test_cmake_configures_the_tree_as_it_will_be_published(tmp_path):
    """With a stand-in for Slicer's build, which the application's developers have."""
    stand_in = tmp_path / "slicer"
    stand_in.mkdir()
    for name, text in (("SlicerConfig", STAND_IN), ("use", USE), ("nothing", "")):
        (stand_in / f"{name}.cmake").write_text(text)
    done = subprocess.run(
        [
            *("cmake", "-S", EXTENSION, "-B", tmp_path / "build"),
            *(f"-DSlicer_DIR={stand_in}", "-DBUILD_TESTING=ON"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "module MicroUS left: ." in done.stdout
    assert "unittest SCRIPT;MicroUS.py" in done.stdout


def test_extension_metadata_is_literal_and_complete():
    text = (EXTENSION / "CMakeLists.txt").read_text(encoding="utf-8")
    values = dict(re.findall(r'set\((EXTENSION_\w+) "([^"]+)"\)', text))
    values |= dict(re.findall(r'set\((EXTENSION_DEPENDS) "([^"]+)"\)', text))
    assert values["EXTENSION_DEPENDS"] == "PyTorch"
    for name in ("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL"):
        assert values[f"EXTENSION_{name}"]
    assert not any("$" in value for value in values.values())
    # Every picture's URL names a file that the published folder holds.
    for url in [
        values["EXTENSION_ICONURL"],
        *values["EXTENSION_SCREENSHOTURLS"].split(),
    ]:
        prefix = "https://raw.githubusercontent.com/napari-microus/SlicerMicroUS/main/"
        assert (EXTENSION / url.removeprefix(prefix)).is_file()


def test_catalog_entry_meets_the_schema_and_the_index_checks():
    entry = json.loads((EXTENSION / "MicroUS.json").read_text(encoding="utf-8"))
    jsonschema.validate(entry, CATALOG_SCHEMA)
    assert entry["$schema"].endswith(
        "slicer-extension-catalog-entry-schema-v1.0.1.json#"
    )
    assert entry["build_dependencies"] == ["PyTorch"]
    assert entry["scm_url"].startswith("https://")
    repository = entry["scm_url"].rpartition("/")[2].removesuffix(".git")
    assert repository.startswith("Slicer")
    assert entry["category"] in {"Segmentation", "Ultrasound"}
    # The project's name must be the entry's file name.
    project = re.search(
        r"project\((\w+)\)", (EXTENSION / "CMakeLists.txt").read_text(encoding="utf-8")
    )
    assert project[1] == "MicroUS"
    assert (EXTENSION / "LICENSE").read_text(encoding="utf-8") == (
        ROOT / "LICENSE"
    ).read_text(encoding="utf-8")
    assert (
        "not for clinical use"
        in (EXTENSION / "README.md").read_text(encoding="utf-8").lower()
    )


def requirements(lines):
    found = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, _, version = line.strip().partition(">=")
            found[name.lower()] = version
    return found


def test_requirements_are_the_cores_needs_less_what_slicer_ships():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    needs = requirements(project["dependencies"])
    lines = (
        (MODULE / "Resources" / "requirements.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    left_out = SHIPPED | GUI | {"torch"}
    assert requirements(lines) == {
        name: version for name, version in needs.items() if name not in left_out
    }
    install = (MODULE / "MicroUSLib" / "packages" / "install.py").read_text(
        encoding="utf-8"
    )
    assert f'TORCH = ">={needs["torch"]}"' in install


@pytest.fixture(scope="module")
def ui():
    return ElementTree.parse(MODULE / "Resources" / "UI" / "MicroUS.ui").getroot()


def test_panel_gives_every_selector_the_scene(ui):
    top = ui.find("widget")
    assert top.get("class") == "qMRMLWidget"
    selectors = {
        widget.get("name")
        for widget in ui.iter("widget")
        if widget.get("class") == "qMRMLNodeComboBox"
    }
    stated = {
        connection.findtext("receiver")
        for connection in ui.iter("connection")
        if connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("sender") == top.get("name")
    }
    assert selectors == stated


def test_panel_names_only_parameters_that_exist(ui):
    module = tree(MODULE / "MicroUSLib" / "parameters.py")
    [node] = [n for n in module.body if isinstance(n, ast.ClassDef)]
    known = {s.target.id for s in node.body if isinstance(s, ast.AnnAssign)}
    named = {
        prop.findtext("string")
        for prop in ui.iter("property")
        if prop.get("name") == "SlicerParameterName"
    }
    assert named
    assert named <= known


def test_every_control_explains_itself(ui):
    kinds = {"QPushButton", "QComboBox", "QSpinBox", "QCheckBox", "qMRMLNodeComboBox"}
    silent = [
        widget.get("name")
        for widget in ui.iter("widget")
        if widget.get("class") in kinds
        and not any(p.get("name") == "toolTip" for p in widget.findall("property"))
    ]
    assert silent == []


SAID = {"_say", "say", "doing", "errorDisplay", "tryWithErrorDisplay", "abandon"}


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_what_the_panel_says_can_be_translated(path):
    """A text goes through Slicer's ``_``, as a template: an f-string cannot."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            said = node.args if node.func.attr in SAID else []
        elif isinstance(node, ast.Assign) and isinstance(
            node.targets[0], ast.Attribute
        ):
            is_text = node.targets[0].attr in {"text", "toolTip"}
            said = [node.value] if is_text else []
        else:
            continue
        for text in said:
            is_bare = isinstance(text, ast.JoinedStr) or (
                isinstance(text, ast.Constant) and bool(text.value)
            )
            assert not is_bare, f"{path.name}: {ast.unparse(text)}"
