"""Two programs on one study: nobody's line is lost."""

import dataclasses
import subprocess
import sys

import pytest
from filelock import FileLock

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.study import Study, StudyCase, manifest
from napari_microus.core.study.manifest import LOCK

ADDING = """
import sys
from napari_microus.core.study import Study, StudyCase

folder, who = sys.argv[1:]
study = Study.open(folder)
print("open", flush=True)
sys.stdin.readline()
for number in range(25):
    study.add(StudyCase(f"{who}{number}", f"p{who}", f"{who}{number}.nii.gz"))
"""


def case(name):
    return StudyCase(name, f"p{name}", f"{name}.nii.gz")


def test_two_processes_add_at_once_and_every_case_is_listed(tmp_path):
    Study.create(tmp_path / "study").add(case("first"))
    children = [
        subprocess.Popen(
            [sys.executable, "-c", ADDING, str(tmp_path / "study"), who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in "ab"
    ]
    for child in children:
        assert child.stdout.readline() == "open\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate(timeout=60)[1] for child in children]

    assert said == ["", ""]
    listed = [one.case for one in Study.open(tmp_path / "study").cases]
    assert listed[0] == "first"
    assert sorted(listed[1:]) == sorted(f"{who}{n}" for who in "ab" for n in range(25))


def test_a_change_of_another_window_is_taken_over(tmp_path):
    here = Study.create(tmp_path / "study")
    there = Study.open(tmp_path / "study")
    there.add(case("theirs"))
    here.add(case("ours"))
    there.set_ignored("ours", True)
    assert [c.case for c in here.cases] == ["theirs", "ours"]
    assert [c.ignore for c in Study.open(tmp_path / "study").cases] == [False, True]
    with pytest.raises(InputError, match="twice"):
        here.add(case("theirs"))


def test_a_whole_table_is_not_written_over_anothers_change(tmp_path):
    here = Study.create(tmp_path / "study")
    here.add(case("ours"))
    there = Study.open(tmp_path / "study")
    there.add(case("theirs"))
    here.cases = [dataclasses.replace(c, split="test") for c in here.cases]
    with pytest.raises(OutputError, match="another program has changed"):
        here.save()
    assert [c.case for c in Study.open(tmp_path / "study").cases] == ["ours", "theirs"]


def test_who_cannot_get_at_the_manifest_says_so(tmp_path, monkeypatch):
    study = Study.create(tmp_path / "study")
    monkeypatch.setattr(manifest, "_PATIENCE_S", 0.05)
    with (
        FileLock(tmp_path / "study" / LOCK),
        pytest.raises(OutputError, match="Another program is writing the study"),
    ):
        study.add(case("late"))
    assert study.cases == Study.open(tmp_path / "study").cases == []
