"""Whoever builds a release again gets the same bytes, and all that it needs."""

import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import wheel

EPOCH = "1764201600"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    return wheel.build_twice(tmp_path_factory.mktemp("w"), "1.2.3", EPOCH, EPOCH)


@pytest.mark.slow
def test_two_builds_are_one_file(wheels):
    first, second = wheels
    assert first.name == second.name == "napari_microus-1.2.3-py3-none-any.whl"
    assert wheel.hash_of(first) == wheel.hash_of(second)


@pytest.mark.slow
def test_it_holds_the_package_and_nothing_beside_it(wheels):
    names = set(zipfile.ZipFile(wheels[0]).namelist())
    source = wheel.ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "napari_microus").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = {name for name in names if name.startswith("napari_microus-1.2.3.dist-info")}
    assert names - info == expected
    assert {"napari_microus/napari.yaml", "napari_microus/py.typed"} <= names


@pytest.mark.slow
def test_another_date_is_noticed(tmp_path):
    first, second = wheel.build_twice(tmp_path, "1.2.3", EPOCH, "1764288000")
    assert wheel.hash_of(first) != wheel.hash_of(second)
