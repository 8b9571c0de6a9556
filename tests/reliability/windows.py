"""Close, kill and double napari while it works: what ends, what is found again?

    python tests/reliability/windows.py [--scenes closing killed twice ...] [--times 1]

Real napari windows, each a process of its own on one virtual screen:

- ``closing``: the window is closed in the middle of each kind of work. It must end with
  status 0 and leave no process behind but a training that its user let run on.
- ``killed``: napari is killed (SIGKILL) while a training that it started runs; a
  new napari must find it, show it and end it.
- ``twice``: two napari train on one study and adjudicate one pair of masks. Each run
  has a folder of its own, the manifest stays as it is, the second adjudication is
  refused while the first runs, and after its end continues with its decisions.

The trainings are real processes with a run's folder, lock and events that learn nothing
(`tests/widgets/train/fake_trainer.py`). Prints a row for each; ends with 1 where one
failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests/widgets/train/fake_trainer.py"
MARK = "MICROUS_WINDOWS"
PATIENCE_S = 300
STAGES = (
    *("warming up", "loading the model", "segmenting", "comparing", "finding regions"),
    *("searching scans", "batch", "estimate", "training, stopped", "training, let on"),
    *("learning from corrections", "exporting"),
)


# ------------------------------------------------------------------ in the window
def play(scene: str, home: Path) -> int:
    """Open napari and act a scene, a generator of what is to be waited for."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QMessageBox

    viewer = napari.Viewer(title=scene)
    acts = SCENES[scene.split(":")[0]](viewer, home, scene.partition(":")[2])
    waited: list = [lambda: True, time.monotonic()]

    def go_on() -> None:
        if not waited[0]():
            if time.monotonic() - waited[1] > PATIENCE_S:
                tell(stuck=True)
                os._exit(5)
            return
        try:
            waited[:] = next(acts), time.monotonic()
        except StopIteration:
            timer.stop()
            answers.start(100)
            viewer.window._qt_window.close()

    def answer() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            return
        wanted = "Let" if scene.endswith("let on") else "Stop"
        for button in box.buttons():
            if wanted in button.text() or "without" in button.text():
                button.click()
                return

    timer, answers = QTimer(), QTimer()
    timer.timeout.connect(go_on)
    answers.timeout.connect(answer)
    timer.start(20)
    napari.run()
    return 0


def tell(**what) -> None:
    print("told", json.dumps(what), flush=True)


def dock(viewer, title):
    return viewer.window.add_plugin_dock_widget("napari-microus", title)[1]


def train_dock(viewer, epochs=4000):
    """Open *Train* with a process that learns nothing."""
    from napari_microus.core.events import Finished, to_json
    from napari_microus.widgets.train.dock import TrainWidget

    def fake(words):
        if "--estimate" in words:
            figures = {"seconds": 60, "memory_mib": 10, "parameters": 5, "advice": ""}
            line = to_json(Finished(figures))
            code = f"import time; time.sleep(0.5); print({line!r})"
            return [sys.executable, "-c", code]
        run = words[words.index("--output") + 1]
        return [sys.executable, str(FAKE), "train", run, str(epochs)]

    TrainWidget.__init__.__kwdefaults__["make_command"] = fake
    return dock(viewer, "Train")


def add_scan(viewer, frames=10):
    import numpy as np

    from napari_microus.core.samples import read_sweep

    array = read_sweep().scan.array
    many = np.concatenate([array] * -(-frames // len(array)))[:frames]
    return viewer.add_image(many, name="scan")


def add_masks(viewer):
    import numpy as np

    y, x = np.mgrid[:120, :120]
    for name, radius in (("expert", 40), ("student", 28)):
        disc = (np.hypot(y - 60, x - 60) <= radius).astype(np.uint8)
        viewer.add_labels(np.stack([disc, disc, disc]), name=name)


def closing(viewer, home, stage):
    """Begin one kind of work, and return in the middle of it."""
    import numpy as np

    if stage in ("warming up", "loading the model", "segmenting", "exporting"):
        add_scan(viewer, 10 if stage == "exporting" else 120)
        segment = dock(viewer, "Segment capsule")
        yield lambda: segment.run_button.isEnabled()
        if stage == "warming up":
            began = time.monotonic()
            yield lambda: time.monotonic() - began > 0.6
        else:
            segment.run_button.click()
        if stage == "segmenting":
            yield lambda: segment.progress.value() > 0
        if stage == "exporting":
            yield lambda: not segment.is_running
            out = home / "film.gif"
            segment.results.ask_file = lambda *_: str(out)
            segment.results.export()
            yield lambda: segment.results.is_working
    elif stage in ("comparing", "finding regions"):
        add_masks(viewer)
        compare = dock(viewer, "Compare annotations")
        compare.picker.compare_button.click()
        yield lambda: compare.comparison is not None
        if stage == "finding regions":
            yield lambda: not compare.comparison.is_busy
            compare.regions.start_panel.start_button.click()
    elif stage in ("searching scans", "batch"):
        write_scans(home / "scans")
        batch = dock(viewer, "Batch")
        batch.form.choose(home / "scans")
        if stage == "batch":
            yield lambda: batch.run_button.isEnabled()
            batch.run_button.click()
            yield lambda: batch.is_running
    elif stage == "learning from corrections":
        scan = add_scan(viewer, 10)
        segment = dock(viewer, "Segment capsule")
        yield lambda: segment.run_button.isEnabled()
        segment.run_button.click()
        yield lambda: not segment.is_running
        correct = dock(viewer, "Correct capsule")
        yield lambda: correct.capsule is not None
        layer = correct.capsule.layer
        rows, columns = np.mgrid[10:60, 10:60].reshape(2, -1)
        layer.data_setitem((np.full(rows.size, 2), rows, columns), 1)
        yield lambda: correct.learn_button.isEnabled()
        correct.learn_button.click()
        yield lambda: correct.is_running
        tell(scan=scan.name)
    else:
        train = train_dock(viewer)
        yield lambda: train.start_button.isEnabled()
        train.start_button.click()
        if stage != "estimate":
            yield lambda: train.panel.run is not None
            yield lambda: len(train.panel.history.epochs) >= 1
            tell(run=str(train.panel.run))
    tell(working=True)


def write_scans(folder: Path) -> None:
    from napari_microus.core.io import write_volume
    from napari_microus.core.samples import read_sweep

    folder.mkdir(exist_ok=True)
    for name in "abcd":
        write_volume(read_sweep().scan, folder / f"{name}.nii.gz", True)


def train(viewer, home, study):
    """Begin a training, report its folder, stay until the end comes from outside."""
    widget = train_dock(viewer)
    if study:
        widget.study_page.open_study(Path(study))
        yield lambda: widget.form.study == Path(study)
    tell(offered=not widget.watch_button.isHidden())
    widget.start_button.click()
    yield lambda: widget.panel.run is not None
    yield lambda: len(widget.panel.history.epochs) >= 2
    tell(run=str(widget.panel.run))
    yield lambda: (home / "go").exists()
    widget.panel.cancel_button.click()
    yield lambda: not widget.panel.is_active
    tell(ended=True)


def find_again(viewer, home, _):
    """Find the training of a napari that is gone, watch it, and end it."""
    widget = train_dock(viewer)
    yield lambda: not widget.watch_button.isHidden()
    tell(offers=widget.watch_button.text())
    widget.watch_button.click()
    yield lambda: len(widget.panel.history.epochs) >= 1
    seen = len(widget.panel.history.epochs)
    yield lambda: len(widget.panel.history.epochs) > seen  # it continues
    tell(run=str(widget.panel.run))
    widget.panel.cancel_button.click()
    yield lambda: not widget.panel.is_active
    tell(ended=True)


def adjudicate(viewer, home, _):
    """Adjudicate; decide one region and stay, or report why not."""
    add_masks(viewer)
    compare = dock(viewer, "Compare annotations")
    compare.picker.compare_button.click()
    yield lambda: compare.comparison is not None
    yield lambda: not compare.comparison.is_busy
    tab = compare.regions
    tab.who.setText("AB")
    tab.start_panel.start_button.click()
    yield lambda: tab._worker is None and "Comparing" not in tab.message.text()
    if tab.shown is None and not tab.resume_panel.isHidden():
        tab.resume_button.click()
        yield lambda: tab._worker is None
        if tab.shown is not None:
            tell(resumed=tab.shown.work.decided_count)
            return
    if tab.shown is None:
        tell(refused=tab.message.text())
        return
    tab.acts.accept_first()
    yield lambda: tab._worker is None
    tell(decided=tab.shown.work.decided_count)
    yield lambda: False  # until it is killed


SCENES = {
    "closing": closing,
    "train": train,
    "find again": find_again,
    "adjudicate": adjudicate,
}


# ------------------------------------------------------------------ around it
class Window:
    """A napari in a process of its own."""

    def __init__(self, scene: str, home: Path, token: str) -> None:
        env = {**os.environ, MARK: token, "HOME": str(home)}
        env["NAPARI_MICROUS_MODELS"] = str(home / "models")
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            env[f"XDG_{kind}_HOME"] = f"{home}/{kind.lower()}"
        env.pop("QT_QPA_PLATFORM", None)
        env["OMP_NUM_THREADS"] = "1"
        env["PYTHONPATH"] = str(ROOT / "src")
        words = [sys.executable, __file__, "--play", scene, "--home", str(home)]
        self.errors = home / f"errors-{uuid.uuid4().hex[:6]}"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                words, env=env, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def hear(self, name: str):
        """Return what the window next records under a name."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("told "):
                what = json.loads(line[5:])
                if name in what:
                    return what[name]
                assert "stuck" not in what, f"waits in vain to record '{name}'"
        end = self.errors.read_text(encoding="utf-8")[-600:]
        raise AssertionError(f"ended before it told '{name}': {end}")

    def end(self) -> None:
        """See that it ends by itself, and well."""
        self.process.communicate(timeout=PATIENCE_S)
        status = self.process.returncode
        stated = self.errors.read_text(encoding="utf-8")
        assert status == 0, f"ended with status {status}: {stated[-600:]}"
        assert "Traceback" not in stated, stated[-1500:]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def alive(token: str, within_s: float = 20.0) -> dict[int, str]:
    """Return the processes with a mark that do not end within a while."""
    deadline = time.monotonic() + within_s
    while True:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{MARK}={token}".encode() in (folder / "environ").read_bytes():
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = words.decode(errors="replace")
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


def check_closing(stage: str, home: Path, token: str) -> None:
    window = Window(f"closing:{stage}", home, token)
    window.hear("working")
    window.end()
    if stage == "training, let on":
        (left,) = alive(token, 1.0).values()
        assert "fake_trainer" in left
        return
    left = alive(token)
    assert not left, f"runs on: {list(left.values())}"


def check_killed(home: Path, token: str) -> None:
    first = Window("train:", home, token)
    run = first.hear("run")
    first.kill()
    (left,) = alive(token, 1.0).values()
    assert "fake_trainer" in left
    second = Window("find again:", home, token)
    assert Path(run).name in second.hear("offers")
    assert second.hear("run") == run
    assert second.hear("ended")
    second.end()
    assert not alive(token)
    status = json.loads((Path(run) / "status.json").read_text(encoding="utf-8"))
    assert status["state"] == "stopped", status


def check_twice_study(home: Path, token: str) -> None:
    study = make_study(home / "study")
    manifest = (study / "manifest.csv").read_bytes()
    windows = [Window(f"train:{study}", home, token) for _ in range(2)]
    runs = [window.hear("run") for window in windows]
    assert runs[0] != runs[1], runs
    (home / "go").touch()
    for window, run in zip(windows, runs, strict=True):
        assert window.hear("ended")
        window.end()
        status = json.loads((Path(run) / "status.json").read_text(encoding="utf-8"))
        assert status["state"] == "stopped", status
    assert (study / "manifest.csv").read_bytes() == manifest
    assert not alive(token)


def check_twice_adjudication(home: Path, token: str) -> None:
    first = Window("adjudicate:", home, token)
    assert first.hear("decided") == 1
    second = Window("adjudicate:", home, token)
    assert "one window at a time" in second.hear("refused")
    second.end()
    first.kill()
    third = Window("adjudicate:", home, token)
    assert third.hear("resumed") == 1
    third.end()
    assert not alive(token)


def make_study(folder: Path) -> Path:
    from napari_microus.core.phantom import make_phantom
    from napari_microus.core.study import Study
    from napari_microus.core.study.split import split_study

    study = Study.create(folder)
    for number in range(4):
        case = make_phantom(number, frames=2, shape=(64, 96))
        study.add_case(
            f"c{number}", f"p{number}", case.scan, case.expert, case.nonexpert
        )
    split_study(study)
    return folder


SETS = {
    "closing": [(f"closed while {s}", check_closing, (s,)) for s in STAGES],
    "killed": [("napari killed in a training", check_killed, ())],
    "twice": [
        ("two windows train on one study", check_twice_study, ()),
        ("two windows adjudicate one pair", check_twice_adjudication, ()),
    ],
}


def check(name: str, act, arguments: tuple, times: int) -> bool:
    """Run a check some times in a fresh home, and print its row."""
    failures = []
    for _ in range(times):
        token = uuid.uuid4().hex
        with tempfile.TemporaryDirectory(prefix="windows-") as home:
            try:
                act(*arguments, Path(home), token)
            except (AssertionError, ValueError, subprocess.TimeoutExpired) as error:
                failures.append(" ".join(f"{type(error).__name__} {error}".split()))
            for process in alive(token, 0.0):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            alive(token, 5.0)
    print(f"| {name} | {times} | {len(failures)} |", flush=True)
    for failure in failures:
        print("    ", failure[:1500], flush=True)
    return not failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=[*SETS], help="or a row's name")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--play", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        return play(arguments.play, arguments.home)
    inside = "WINDOWS_INSIDE" in os.environ
    if shutil.which("xvfb-run") and not inside:
        words = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", sys.executable]
        env = {**os.environ, "WINDOWS_INSIDE": "1", "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run([*words, __file__, *sys.argv[1:]], env=env, check=False)
        return done.returncode
    good = True
    for kind, rows in SETS.items():
        for name, act, given in rows:
            if kind in arguments.scenes or name in arguments.scenes:
                good &= check(name, act, given, arguments.times)
    return not good


if __name__ == "__main__":
    sys.exit(main())
