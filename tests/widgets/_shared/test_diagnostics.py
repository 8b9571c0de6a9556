"""What is copied for a report of a problem holds versions, and nobody's name."""

import logging

import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume
from napari_microus.widgets._shared import diagnostics
from napari_microus.widgets._shared.footer import Footer

PLANTED = (
    *("Doe^John", "John", "1956", "19560203", "4711", "PAT-99", "doe.dcm", "Doe.nii"),
    *("/home/", "C:\\", "jdoe", "@clinic.example", "St. Mary"),
)
log = logging.getLogger("napari_microus.widgets.segment.dock")


@pytest.fixture(autouse=True)
def tail():
    tail = diagnostics.listen()
    tail.lines.clear()
    yield tail
    tail.lines.clear()


def test_versions_and_devices_are_reported():
    words = diagnostics.diagnostics()
    import napari

    assert f"napari {napari.__version__}" in words.splitlines()
    assert "cpu: usable" in words.splitlines()
    assert "Python 3." in words


@pytest.mark.parametrize(
    "message",
    [
        "Cannot read /home/jdoe/Doe^John/19560203/doe.dcm: incomplete",
        "The scan 'Doe^John 1956-02-03' is open",
        "Patient John Doe, born 1956, St. Mary",
        "C:\\Users\\jdoe\\PAT-99\\Doe.nii was saved for jdoe@clinic.example",
    ],
)
def test_no_log_line_reveals_who_the_patient_is(message, tmp_path):
    try:
        raise InputError(message)
    except InputError as error:
        log.error(str(error), exc_info=error)
        log.warning("While %s was read", message)
    words = diagnostics.diagnostics()
    assert "InputError" in words  # the kind of error is given
    assert "While %s was read" in words  # and what the code itself says
    for planted in PLANTED:
        assert planted not in words


def test_where_in_our_code_an_error_was_raised_is_reported(tmp_path):
    try:
        read_volume(tmp_path / "Doe^John" / "doe.dcm")
    except InputError as error:
        log.error(str(error), exc_info=error)
    (line,) = diagnostics.listen().lines
    assert "core/io/reading.py:" in line
    assert "Doe" not in line


def test_paths_in_what_the_code_says_are_taken_out():
    for words in ("in /home/jdoe/Doe", "of 'Doe John'", "to Doe.nii.gz", "no 19560203"):
        assert not any(p in diagnostics.without_names(words) for p in PLANTED)


def test_the_button_copies_and_says_so(qtbot, qapp):
    footer = Footer(None)
    qtbot.addWidget(footer)
    footer.copy_button.click()
    assert qapp.clipboard().text() == diagnostics.diagnostics()
    assert "clipboard" in footer.note.text()
