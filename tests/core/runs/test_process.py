import sys

from napari_microus.core.config import TrainConfig
from napari_microus.core.runs import folder as folders
from napari_microus.core.runs.folder import RunFolder, read_status
from napari_microus.core.runs.process import TrainingProcess

WAITS_AND_WRITES = """
import sys
from napari_microus.core.runs.folder import RunFolder
run = RunFolder.reopen(__import__("pathlib").Path(sys.argv[1]), "again")
run.set_status(state="finished")
run.close()
"""


def test_a_status_is_known_as_ones_own_after_the_clock_was_set_back(
    tmp_path, monkeypatch
):
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(folders.time, "time", lambda: 2e9)  # the year 2033
        run = RunFolder.create(TrainConfig(output=str(path), name="once"))
        run.set_status(state="interrupted")
        run.close()

    words = [sys.executable, "-c", WAITS_AND_WRITES, str(path)]
    before = read_status(path)
    process = TrainingProcess(words, path)

    assert not process.has_written(before)
    assert process.wait(60)
    after = read_status(path)
    assert after.state == "finished"
    assert after.updated < before.updated
    assert process.has_written(after)


def test_a_new_runs_status_is_its_own_from_the_first_on(tmp_path):
    process = TrainingProcess([sys.executable, "-c", ""], tmp_path / "run")
    assert process.wait(60)
    run = RunFolder.create(TrainConfig(output=str(tmp_path / "run"), name="once"))
    assert not process.has_written(folders.RunStatus(str(tmp_path / "run")))
    run.set_status(state="running")
    assert process.has_written(read_status(tmp_path / "run"))
    run.close()
