"""The German texts: none is missing, placeholders agree, and a dock speaks German."""

import importlib.util
import os
import string
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location(
    "catalogue", ROOT / ".ci" / "catalogue.py"
)
catalogue = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(catalogue)
GERMAN = catalogue.LOCALE / "de" / "LC_MESSAGES" / "napari-microus.po"


@pytest.fixture(scope="module")
def texts():
    return catalogue.read_po(GERMAN)


# One concept, one word: the stem that German has wherever English has its own.
TERMS = {
    "adjudicat": "klär",
    "annotator": "annotator",
    "approved": "freigegeben",
    "contour": "kontur",
    "disputed": "strittig",
    "expert": "experte",
    "failed": "fehlgeschlagen",
    "gland": "drüse",
    "label": "label",
    "mask": "mask",
    "outline": "kontur",
    "probability": "wahrscheinlichkeit",
    "probe": "sonde",
    "sweep": "schwenk",
    "threshold": "schwellenwert",
    "uncertain": "unsicher",
    "validat": "validier",
}


def fields(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_every_marked_text_is_translated_and_no_other_is_there(texts):
    marked = set(catalogue.marked())
    assert len(marked) > 100
    assert set(texts) - {""} == marked
    assert [text for text, german in texts.items() if not german] == []


def test_placeholders_and_ends_agree(texts):
    for text, german in texts.items():
        if text:
            assert fields(text) == fields(german), text
            assert text.endswith("…") == german.endswith("…"), text


@pytest.mark.parametrize(("english", "german"), TERMS.items())
def test_one_concept_has_one_word(texts, english, german):
    found = {text: said for text, said in texts.items() if english in text.lower()}
    assert found
    assert [said for said in found.values() if german not in said.lower()] == []


def test_quotation_marks_are_german(texts):
    for german in texts.values():
        assert not set("'\"”") & set(german), german
        assert german.count("„") == german.count("“"), german


def test_the_binary_is_that_of_the_texts(texts):
    assert GERMAN.with_suffix(".mo").read_bytes() == catalogue.compiled(texts)


def spoken(code, languages):
    """Return what a Python of its own prints where the system has these languages."""
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    environment |= {"LANGUAGE": languages, "LC_ALL": "C.UTF-8"}
    environment |= {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout


@pytest.mark.parametrize(
    ("languages", "stated"),
    [
        ("de_DE", "Keine Aufnahme offen. Öffnen Sie eine, um zu beginnen."),
        ("en_GB", "No scan open. Open a scan to begin."),
        ("fr_FR", "No scan open. Open a scan to begin."),
        ("en_GB:de", "No scan open. Open a scan to begin."),
    ],
)
def test_a_dock_speaks_the_systems_language(languages, stated):
    code = (
        "from qtpy.QtWidgets import QApplication; app = QApplication([]); "
        "from napari.components import ViewerModel; "
        "from napari_microus.widgets.segment import SegmentWidget; "
        "dock = SegmentWidget(ViewerModel()); "
        "print(dock.empty.words.text(), dock.run_button.text(), sep='|')"
    )
    words, button = spoken(code, languages).strip().splitlines()[-1].split("|")
    assert words == stated
    assert button == ("Segmentieren" if languages.startswith("de") else "Segment")


def test_every_dock_of_the_manifest_opens_in_german():
    """A heading was looked for by its German name, and Train did not open."""
    code = (
        "import importlib; from pathlib import Path; "
        "from npe2 import PluginManifest; import napari_microus; "
        "from qtpy.QtWidgets import QApplication; app = QApplication([]); "
        "from napari.components import ViewerModel; "
        "folder = Path(napari_microus.__file__).parent; "
        "found = PluginManifest.from_file(folder / 'napari.yaml').contributions; "
        "names = {c.id: c.python_name for c in found.commands}\n"
        "for widget in found.widgets:\n"
        "    module, _, name = names[widget.command].partition(':')\n"
        "    dock = getattr(importlib.import_module(module), name)(ViewerModel())\n"
        "    print(dock.footer.keys_button.text(), end=' ')\n"
    )
    said = spoken(code, "de_DE").split()
    assert said == ["Tasten…"] * 7
