"""Let a monkey use napari with all docks open, and see what it breaks.

    python tests/reliability/monkey.py [--actions 1000] [--seeds 0 1 2] [--trace]

For each seed a real napari (on a virtual screen of its own where there is xvfb-run)
opens two scans with their outlines, points and shapes, and the docks Segment, Correct,
Compare, Train and Batch. A thousand actions follow: clicks on any button that is
shown, choices, texts and tables, keys, painting, undo, the slider, layers renamed,
hidden, moved, removed and added, docks closed and opened, work cancelled. Dialogs are
answered with a random button or path. Then the window is closed.

Failures are: an exception in any thread, an error of Qt or napari, an unexpected error
in our log, a layer that went without the monkey's doing, a picture with other pixels, a
status other than 0, a thread or a process that runs on. Training and batches are real,
and short. Prints a row for each seed, and each failure with the actions before it.

Under Mesa, napari alone faults when a Shapes layer, or a Points layer with a selection,
is removed from directly above an Image (vispy 0.17): the monkey leaves that out.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import hashlib
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "MICROUS_MONKEY"
DOCKS = (
    *("Segment capsule", "Correct capsule", "Compare annotations"),
    *("Train", "Batch"),
)
#: What Qt says on a virtual screen without a desktop, and napari's own words.
HARMLESS = (
    *("propagateSizeHints", "XDG_RUNTIME_DIR", "QStandardPaths", "session management"),
    *("Could not find font", "libdecor", "QFont", "setGeometry", "requestActivate"),
    *("This plugin does not support", "dbus", "DBus", "QAccessible"),
)
#: napari's own: a brush beside the frames of a layer that has fewer than others.
NOT_OURS = ("for non-painted dimension",)
#: A training of seconds instead of hours; the rest is as the dock gives it.
SHORT = (
    *("epochs=2", "data.phantom_frames=8", "data.phantom_val_cases=1"),
    *("data.phantom_val_frames=2", "batch_size=2"),
)
#: Seconds after which a window that does not answer counts as hung.
STILL_S = 120
KEYS = "G N J K U H A S B Z E R X 1 2 3 4 5 Escape Return Space Left Right Up Down Tab"


# ------------------------------------------------------------------ the parent
def run(seed: int, actions: int, *, trace: bool) -> tuple[bool, str]:
    """Run one monkey; return whether all is well, and the row of the table."""
    token = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="monkey-") as home:
        out = Path(home) / "told"
        env = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        env.update({MARK: token, "HOME": home, "XDG_RUNTIME_DIR": home})
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            env[f"XDG_{kind}_HOME"] = f"{home}/{kind.lower()}"
        env.pop("QT_QPA_PLATFORM", None)
        env["OMP_NUM_THREADS"] = "1"
        env["PYTHONPATH"] = str(ROOT / "src")
        words = [sys.executable, "-X", "faulthandler", __file__, "--play", str(out)]
        words += ["--actions", str(actions), "--seeds", str(seed)]
        words += ["--trace"] if trace else []
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24"]
        if shutil.which("xvfb-run"):
            words = [*screen, *words]
        began = time.monotonic()
        child = subprocess.Popen(words, env=env, start_new_session=True, cwd=home)
        try:
            status = child.wait(120 + 10 * actions)
        except subprocess.TimeoutExpired:
            status = -1
        took = time.monotonic() - began
        stated = (
            out.read_text(encoding="utf-8").splitlines()
            if out.exists()
            else ["did not begin"]
        )
        failures = [line for line in stated if not line.startswith("done ")]
        done = next(
            (line.split()[1] for line in stated if line.startswith("done ")), "?"
        )
        if status:
            failures.append(f"ended with status {status}")
        left = orphans(token)
        failures += [f"runs on: {words}" for words in left.values()]
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    for failure in failures:
        print(f"  seed {seed}: {failure}", file=sys.stderr)
    row = f"| {seed} | {done} | {took:.0f} s | {len(failures)} |"
    return not failures and done == str(actions), row


def orphans(token: str) -> dict[int, str]:
    """Return the processes that a monkey's napari began and that still run."""
    deadline = time.monotonic() + 20
    while True:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{MARK}={token}".encode() in (folder / "environ").read_bytes():
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = words.decode(errors="replace")[:200]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


# ------------------------------------------------------------------ the monkey
class Monkey:
    """Does something at random, again and again, and notes what goes wrong."""

    def __init__(self, viewer, seed: int, actions: int, out: Path, *, trace: bool):
        self.viewer = viewer
        self.draw = random.Random(seed)
        self.left = self.actions = actions
        self.out = out
        self.trace = trace
        self.last = collections.deque(maxlen=12)
        self.failures: list[str] = []
        self.depth = 0
        self.ticks_of_dialog = 0
        self.seen = None
        self.window = viewer.window._qt_window
        self.began = self.acted = time.monotonic()
        self.is_over = False
        self.sandbox = Path.home() / "sandbox"
        self.protected: dict = {}
        self.digests: dict = {}

    # --- what goes wrong

    def fail(self, words: str) -> None:
        words = " ".join(words.split())[-1500:]
        if any(part in words[-200:] for part in NOT_OURS):
            return
        first = not any(words[-300:] == known[-300:] for known in self.failures)
        self.failures.append(words)
        if first:
            with self.out.open("a") as file:
                file.write(f"{words}  after: {' | '.join(self.last)}\n")

    def watch(self) -> None:
        """Hear of every exception and error, in whatever thread and library."""
        from napari.utils.notifications import ErrorNotification, notification_manager
        from qtpy.QtCore import QtMsgType, qInstallMessageHandler

        def on_exception(kind, error, trace) -> None:
            self.fail("exception " + "".join(traceback.format_exception(error)))

        def on_thread(arguments) -> None:
            on_exception(arguments.exc_type, arguments.exc_value, None)

        def on_qt(kind, context, words) -> None:
            is_bad = kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
            if is_bad and not any(part in words for part in HARMLESS):
                self.fail(f"Qt: {words}")

        def on_notification(note) -> None:
            if isinstance(note, ErrorNotification):
                self.fail(
                    "napari: " + "".join(traceback.format_exception(note.exception))
                )

        class Log(logging.Handler):
            def emit(handler, record) -> None:
                from napari_microus.core.errors import MicroUSError

                error = record.exc_info[1] if record.exc_info else None
                if record.levelno >= logging.ERROR and not isinstance(
                    error, MicroUSError
                ):
                    end = "".join(traceback.format_exception(error)) if error else ""
                    self.fail(f"log: {record.getMessage()} {end}")

        sys.excepthook = on_exception
        threading.excepthook = on_thread
        sys.unraisablehook = lambda stated: on_exception(None, stated.exc_value, None)
        qInstallMessageHandler(on_qt)
        notification_manager.notification_ready.connect(on_notification)
        logging.getLogger().addHandler(Log())

    def look(self) -> None:
        """Compare the user's layers with what the monkey left of them."""
        from napari.layers import Image

        for layer, name in list(self.protected.items()):
            if layer not in self.viewer.layers:
                self.fail(f"the layer '{name}' went by itself")
                del self.protected[layer]
            elif isinstance(layer, Image) and digest(layer) != self.digests[layer]:
                self.fail(f"the picture '{name}' has other pixels")

    def protect(self, layer) -> None:
        self.protected[layer] = layer.name
        self.digests[layer] = digest(layer)

    # --- the rhythm

    def begin(self) -> None:
        self.wait(500)

    def wait(self, milliseconds: int) -> None:
        from qtpy.QtCore import QTimer

        QTimer.singleShot(milliseconds, self.tick)

    def tick(self) -> None:
        """Do the next thing; within a dialog only what answers it."""
        from qtpy.QtWidgets import QApplication

        # Before the act, which may stay in a dialog's own loop.
        self.wait(self.draw.choice((0, 0, 10, 30, 100, 300)))
        faulthandler.dump_traceback_later(STILL_S, exit=True)
        dialog = QApplication.activeModalWidget()
        popup = QApplication.activePopupWidget()
        try:
            if popup is not None:
                popup.close()
            elif dialog is not None:
                self.answer(dialog)
            elif not self.depth:
                self.ticks_of_dialog, self.seen = 0, None
                self.acted = time.monotonic()
                self.next()
            elif time.monotonic() - self.acted > STILL_S:
                self.fail("stuck: no dialog is shown, and the act does not end")
                faulthandler.dump_traceback()
                os._exit(4)
        except Exception as error:  # noqa: BLE001  a fault is noted, the monkey continues
            self.fail("in the act: " + "".join(traceback.format_exception(error)))

    def next(self) -> None:
        if self.left <= 0:
            self.end()
            return
        self.left -= 1
        self.depth += 1
        if self.viewer.dims.ndisplay == 3 and self.draw.random() < 0.8:
            self.viewer.dims.ndisplay = 2  # without a graphics card it takes seconds
        (act,) = self.draw.choices(list(ACTS), list(ACTS.values()))
        try:
            self.note(act.__name__)
            act(self)
            if not self.left % 10:
                self.look()
        finally:
            self.depth -= 1

    def note(self, words: str) -> None:
        self.last.append(words)
        if self.trace:
            at = f"{time.monotonic() - self.began:7.1f} s {self.actions - self.left}"
            print(at, words, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Close the window as its user would, until it goes."""
        if self.is_over:
            with contextlib.suppress(RuntimeError):  # it has gone
                if self.window.isVisible():  # its user went back
                    self.window.close()
            return
        self.is_over = True
        self.look()
        self.note("close the window")
        self.depth += 1
        try:
            self.window.close()
        finally:
            self.depth -= 1

    def answer(self, dialog) -> None:
        """Answer a dialog at random; at the end so that the window may go."""
        from qtpy.QtWidgets import (
            QAbstractButton,
            QDialogButtonBox,
            QFileDialog,
            QInputDialog,
            QLineEdit,
            QMessageBox,
        )

        self.ticks_of_dialog += 1
        if dialog is not self.seen:  # Qt may still be about to show it
            self.seen = dialog
            return
        self.note(f"dialog '{dialog.windowTitle()}'")
        if self.ticks_of_dialog > 12:
            dialog.reject() if hasattr(dialog, "reject") else dialog.close()
            self.ticks_of_dialog = 0
        elif isinstance(dialog, QFileDialog):
            if self.draw.random() < 0.4 or self.ticks_of_dialog > 3:
                dialog.reject()
            else:
                dialog.findChild(QLineEdit).setText(str(self.path()))
                (box,) = dialog.findChildren(QDialogButtonBox)
                box.buttons()[0].click()
        elif isinstance(dialog, QInputDialog):
            dialog.setTextValue(self.text())
            dialog.accept() if self.draw.random() < 0.6 else dialog.reject()
        elif isinstance(dialog, QMessageBox) and self.is_over:
            wanted = [b for b in dialog.buttons() if "without" in b.text()]
            wanted += [b for b in dialog.buttons() if "Stop" in b.text()]
            (wanted or dialog.buttons())[0].click()
        else:
            buttons = [
                button
                for button in dialog.findChildren(QAbstractButton)
                if button.isVisible() and button.isEnabled()
            ]
            if buttons:
                self.draw.choice(buttons).click()
            else:
                dialog.reject() if hasattr(dialog, "reject") else dialog.close()

    # --- what is at hand

    def path(self) -> Path:
        there = sorted(self.sandbox.rglob("*"))
        new = self.sandbox / f"new{self.draw.randrange(9)}"
        ends = ("", ".nii.gz", ".csv", ".seg.nrrd", ".json", ".html", ".dcm", ".stl")
        if there and self.draw.random() < 0.6:
            return self.draw.choice(there)
        return Path(f"{new}{self.draw.choice(ends)}")

    def text(self) -> str:
        return self.draw.choice(
            ("", "0", "-3", "1.5", "nan", "AB", "a/b", "é ü 你", "x" * 300, "1e9", "5")
        )

    def docks(self) -> dict:
        """Return our docks that are open, by title."""
        return {
            dock.windowTitle().removesuffix(" (MicroUS)"): dock
            for dock in self.viewer.window._qt_window.findChildren(_dock_class())
            if any(title in dock.windowTitle() for title in DOCKS)
        }

    def widgets(self, *kinds) -> list:
        """Return what is shown and enabled in our docks."""
        found = []
        for dock in self.docks().values():
            for kind in kinds:
                found += [
                    widget
                    for widget in dock.widget().findChildren(kind)
                    if widget.isVisible() and widget.isEnabled()
                ]
        return found

    def any_layer(self, kind=None):
        layers = [
            layer
            for layer in self.viewer.layers
            if kind is None or isinstance(layer, kind)
        ]
        return self.draw.choice(layers) if layers else None

    # --- acts

    def click_a_button(self) -> None:
        from qtpy.QtWidgets import QAbstractButton

        buttons = self.widgets(QAbstractButton)
        if not buttons:
            return
        button = self.draw.choice(buttons)
        self.note(f"click '{button.text() or button.toolTip()[:30]}'")
        _click(button)

    def press_segment(self) -> None:
        from qtpy.QtWidgets import QPushButton

        for button in self.widgets(QPushButton):
            if button.text() in ("Segment", "Compare", "Start adjudicating"):
                self.note(f"click '{button.text()}'")
                _click(button)
                return

    def cancel(self) -> None:
        from qtpy.QtWidgets import QPushButton

        for button in self.widgets(QPushButton):
            if "Cancel" in button.text() or "Stop" in button.text():
                self.note(f"click '{button.text()}'")
                _click(button)

    def choose(self) -> None:
        from qtpy.QtWidgets import QComboBox, QTabWidget

        boxes = [b for b in self.widgets(QComboBox, QTabWidget) if b.count()]
        if boxes:
            box = self.draw.choice(boxes)
            place = self.draw.randrange(box.count())
            self.note(f"choose {place} of {type(box).__name__}")
            box.setCurrentIndex(place)
            if isinstance(box, QComboBox):
                box.activated.emit(place)

    def set_a_number(self) -> None:
        from qtpy.QtWidgets import QDoubleSpinBox, QSlider, QSpinBox

        boxes = self.widgets(QSpinBox, QDoubleSpinBox, QSlider)
        if boxes:
            box = self.draw.choice(boxes)
            share = self.draw.random()
            value = box.minimum() + share * (min(box.maximum(), 1000) - box.minimum())
            self.note(f"set {type(box).__name__} {value:.3g}")
            box.setValue(value if isinstance(box, QDoubleSpinBox) else int(value))

    def write_a_text(self) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QLineEdit

        fields = self.widgets(QLineEdit)
        if fields:
            field, words = self.draw.choice(fields), self.text()
            self.note(f"write '{words[:9]}' into {field.toolTip()[:30]}")
            field.setText(words)
            QTest.keyClick(field, Qt.Key.Key_Return)

    def use_a_table(self) -> None:
        from qtpy.QtWidgets import QAbstractItemView

        for table in self.draw.sample(
            tables := self.widgets(QAbstractItemView), len(tables)
        ):
            model = table.model()
            if model is None or not model.rowCount() or not model.columnCount():
                continue
            row = self.draw.randrange(model.rowCount())
            index = model.index(row, self.draw.randrange(model.columnCount()))
            self.note(f"table row {row}")
            table.setCurrentIndex(index)
            if self.draw.random() < 0.4:
                table.doubleClicked.emit(index)
            return

    def press_a_key(self) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        key = self.draw.choice(KEYS.split())
        more = (Qt.KeyboardModifier.NoModifier,) * 6
        more += (Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)
        modifier = self.draw.choice(more)
        at = self.draw.choice((self.canvas, self.canvas, *self.docks().values()))
        self.note(f"key {key} {modifier.name}")
        QTest.keyClick(at, getattr(Qt.Key, f"Key_{key}"), modifier)

    def undo(self) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        control = Qt.KeyboardModifier.ControlModifier
        shift = Qt.KeyboardModifier.ShiftModifier
        for _ in range(self.draw.randrange(1, 5)):
            more = control | shift if self.draw.random() < 0.3 else control
            QTest.keyClick(self.canvas, Qt.Key.Key_Z, more)

    @property
    def canvas(self):
        return self.viewer.window._qt_viewer.canvas.native

    def drag(self) -> None:
        """Drag over the canvas: paint, nudge, pan, or whatever is on."""
        from qtpy.QtCore import QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        wide, high = self.canvas.width(), self.canvas.height()
        kinds, buttons = QMouseEvent.Type, Qt.MouseButton
        x, y = self.draw.uniform(0, wide), self.draw.uniform(0, high)
        way = [(x, y)]
        for _ in range(self.draw.choice((0, 1, 4, 8))):
            x, y = x + self.draw.gauss(0, 60), y + self.draw.gauss(0, 60)
            way.append((x, y))

        def send(kind, place, pressed) -> None:
            point = QPointF(*place)
            moves = kind == kinds.MouseMove
            event = QMouseEvent(
                kind,
                point,
                self.canvas.mapToGlobal(point),
                buttons.NoButton if moves else buttons.LeftButton,
                buttons.LeftButton if pressed else buttons.NoButton,
                Qt.KeyboardModifier.NoModifier,
            )
            QApplication.sendEvent(self.canvas, event)

        send(kinds.MouseMove, way[0], False)
        send(kinds.MouseButtonPress, way[0], True)
        for place in way[1:]:
            send(kinds.MouseMove, place, True)
        send(kinds.MouseButtonRelease, way[-1], False)

    def paint(self) -> None:
        from napari.layers import Labels

        layer = self.any_layer(Labels)
        if layer is None or not layer.visible:
            return
        self.viewer.layers.selection.active = layer
        self.note(f"paint on '{layer.name}'")
        if not layer.editable:
            return
        layer.mode = self.draw.choice(("paint", "paint", "erase", "fill", "pan_zoom"))
        layer.brush_size = self.draw.choice((1, 10, 40))
        layer.selected_label = self.draw.choice((1, 1, 1, 1, 2, 0))
        self.drag()

    def slide(self) -> None:
        counts = self.viewer.dims.nsteps
        axis = self.draw.randrange(len(counts))
        self.viewer.dims.set_current_step(axis, self.draw.randrange(int(counts[axis])))

    def select(self) -> None:
        self.viewer.layers.selection.active = self.any_layer()

    def rename(self) -> None:
        layer = self.any_layer()
        if layer is not None:
            words = self.text() or "renamed"
            self.note(f"rename '{layer.name}' to '{words[:9]}'")
            layer.name = words
            if layer in self.protected:
                self.protected[layer] = layer.name

    def hide(self) -> None:
        layer = self.any_layer()
        if layer is not None:
            layer.visible = not layer.visible

    def move(self) -> None:
        count = len(self.viewer.layers)
        if count > 1:
            self.viewer.layers.move(
                self.draw.randrange(count), self.draw.randrange(count)
            )

    def remove(self) -> None:
        from napari.layers import Points, Shapes

        layer = self.any_layer()
        if layer is None or len(self.viewer.layers) < 4:
            return
        if isinstance(layer, Shapes) or (
            isinstance(layer, Points) and layer.selected_data
        ):
            return  # faults in OpenGL, see above
        self.note(f"remove '{layer.name}'")
        self.protected.pop(layer, None)
        self.viewer.layers.remove(layer)

    def add(self) -> None:
        """Open a sample or a file again, or draw an empty mask over a scan."""
        import numpy as np
        from napari.layers import Image

        if len(self.viewer.layers) > 16:
            self.remove()
            return
        before = set(self.viewer.layers)
        choice = self.draw.randrange(4)
        image = self.any_layer(Image)
        if choice == 0:
            self.viewer.open_sample("napari-microus", "sweep")
        elif choice == 1:
            self.viewer.open(
                self.sandbox / "scans" / "a.nii.gz", plugin="napari-microus"
            )
        elif choice == 2 and image is not None and not image.rgb:
            self.viewer.add_labels(
                np.zeros(image.data.shape, np.uint8),
                scale=image.scale,
                translate=image.translate,
                units=image.units,
            )
        else:
            self.viewer.add_image(np.zeros((5, 7), np.float32) + self.draw.random())
        for layer in set(self.viewer.layers) - before:
            self.protect(layer)

    def close_a_dock(self) -> None:
        docks = self.docks()
        if docks:
            title = self.draw.choice(sorted(docks))
            self.note(f"close the dock '{title}'")
            docks[title].close()

    def open_docks(self) -> None:
        title = self.draw.choice(DOCKS)
        self.note(f"open the dock '{title}'")
        self.viewer.window.add_plugin_dock_widget("napari-microus", title, tabify=True)

    def show_a_dock(self) -> None:
        docks = self.docks()
        if docks:
            docks[self.draw.choice(sorted(docks))].raise_()

    def three_dimensions(self) -> None:
        self.viewer.dims.ndisplay = self.draw.choice((2, 2, 3))


ACTS = {
    Monkey.click_a_button: 24,
    Monkey.press_segment: 3,
    Monkey.cancel: 3,
    Monkey.choose: 8,
    Monkey.set_a_number: 5,
    Monkey.write_a_text: 5,
    Monkey.use_a_table: 4,
    Monkey.press_a_key: 8,
    Monkey.undo: 4,
    Monkey.drag: 5,
    Monkey.paint: 8,
    Monkey.slide: 6,
    Monkey.select: 5,
    Monkey.rename: 2,
    Monkey.hide: 2,
    Monkey.move: 2,
    Monkey.remove: 3,
    Monkey.add: 3,
    Monkey.close_a_dock: 3,
    Monkey.open_docks: 5,
    Monkey.show_a_dock: 6,
    Monkey.three_dimensions: 1,
}


def digest(layer) -> str:
    import numpy as np

    if not isinstance(layer.data, np.ndarray):
        return ""
    return hashlib.sha256(np.ascontiguousarray(layer.data)).hexdigest()


def _dock_class():
    from qtpy.QtWidgets import QDockWidget

    return QDockWidget


def _click(button) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


# ------------------------------------------------------------------ the child
def fill(monkey: Monkey) -> None:
    """Open the scans, and lay out the files that dialogs find."""
    import numpy as np

    from napari_microus.core.io import write_mask, write_volume
    from napari_microus.core.phantom import make_phantom

    folder = monkey.sandbox
    (folder / "scans").mkdir(parents=True)
    for number, name in enumerate("ab"):
        case = make_phantom(number, frames=3, shape=(96, 128))
        write_volume(case.scan, folder / "scans" / f"{name}.nii.gz", True)
        write_mask(case.expert, folder / f"{name}_mask.nii.gz", True)
    (folder / "damaged.nii.gz").write_bytes(b"\x1f\x8b no")
    (folder / "note.txt").write_text("nothing of use")
    viewer = monkey.viewer
    viewer.open_sample("napari-microus", "sweep")
    viewer.open_sample("napari-microus", "phantom")
    units = {"units": viewer.layers[0].units}
    viewer.add_points(np.array([[0, 10.0, 10.0]]), name="points", **units)
    corners = np.array([[0, 1.0, 1.0], [0, 1, 9], [0, 9, 9]])
    viewer.add_shapes([corners], shape_type="polygon", name="shapes", **units)
    for layer in viewer.layers:
        monkey.protect(layer)


def shorten() -> None:
    """Make trainings short, and leave other programs out of it."""
    from qtpy.QtGui import QDesktopServices

    from napari_microus.core.runs.process import command
    from napari_microus.widgets.train.dock import TrainWidget

    def short(words):
        more = SHORT if words[0] == "train" else ()
        return command([*words, *(part for one in more for part in ("--set", one))])

    TrainWidget.__init__.__kwdefaults__["make_command"] = short
    QDesktopServices.openUrl = staticmethod(lambda url: True)


def play(seed: int, actions: int, out: Path, *, trace: bool) -> int:
    """Be the process with the window."""
    faulthandler.enable()
    import napari

    shorten()
    viewer = napari.Viewer(title="monkey")
    viewer.window.resize(1200, 750)
    monkey = Monkey(viewer, seed, actions, out, trace=trace)
    monkey.sandbox.mkdir()
    fill(monkey)
    monkey.watch()
    for title in DOCKS:
        viewer.window.add_plugin_dock_widget("napari-microus", title, tabify=True)
    monkey.begin()
    napari.run()
    faulthandler.cancel_dump_traceback_later()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(ours()) > 0:
        time.sleep(0.1)
    for thread in ours():
        monkey.fail(f"the thread '{thread.name}' runs on")
    with out.open("a", encoding="utf-8") as file:
        file.write(f"done {actions}\n")
    return 0


def ours() -> list[threading.Thread]:
    """Return the threads that we began."""
    return [thread for thread in threading.enumerate() if "microus" in thread.name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trace", action="store_true", help="print every action")
    parser.add_argument("--play", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        (seed,) = arguments.seeds
        return play(seed, arguments.actions, arguments.play, trace=arguments.trace)
    good = True
    for seed in arguments.seeds:
        is_good, row = run(seed, arguments.actions, trace=arguments.trace)
        good &= is_good
        print(row, flush=True)
    return not good


if __name__ == "__main__":
    sys.exit(main())
