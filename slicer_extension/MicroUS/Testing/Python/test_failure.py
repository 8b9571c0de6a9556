"""What a panel shows of an error is its plain sentence; the rest are details."""

import pytest
import slicer
from MicroUSLib.failure import in_plain_words, shown_plainly

from napari_microus.core.errors import InputError


@pytest.fixture
def dialogs(monkeypatch):
    found = []
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False, raising=False)
    monkeypatch.setattr(
        slicer.util,
        "errorDisplay",
        lambda text, detailedText="": found.append((text, detailedText)),
    )
    return found


def test_the_plain_sentence_is_shown_and_the_error_goes_on(dialogs):
    def fail():
        with shown_plainly("Nothing was measured."):
            raise InputError("A scan must be there; got none.", plain="Load a scan.")

    with pytest.raises(InputError, match="must be there"):
        fail()
    [(text, details)] = dialogs
    assert text == "Nothing was measured.\n\nLoad a scan."
    assert "A scan must be there; got none." in details


def test_an_error_of_another_package_has_its_own_words():
    assert in_plain_words(KeyError("spacing")) == "'spacing'"
    assert in_plain_words(RuntimeError()) == "RuntimeError"
