import importlib
import sys

import pytest

from napari_microus.core._moved import MOVED


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_module_name_gives_the_module_and_a_warning(old, new):
    old, new = f"napari_microus.core.{old}", f"napari_microus.core.{new}"
    module = importlib.import_module(new)
    sys.modules.pop(old, None)

    with pytest.warns(FutureWarning, match=new):
        assert importlib.import_module(old) is module

    assert module.__spec__.name == new


def test_an_old_module_name_hides_nothing_that_a_package_offers():
    for old in MOVED:
        package, _, name = f"napari_microus.core.{old}".rpartition(".")
        offered = getattr(importlib.import_module(package), "__all__", ())
        assert name not in offered
