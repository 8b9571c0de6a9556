"""Does a process end well while threads are still inside PyTorch?

    python tests/reliability/ends.py [--windows 30] [--demos 14] [--starts cold warm]

- napari with a dock, closed 0.1 to 5 s after the dock was opened, the docks in turn;
- `napari-microus demo` without a screen, which writes its pictures and ends.

A cold start finds no compiled module (PYTHONPYCACHEPREFIX on an empty folder), so that
imports in threads take long and the end comes in their middle; a warm one shares the
folder of the ones before. Each must end with status 0 and without a traceback, and
leave no process behind. Prints each end and the counts; ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))
import windows  # noqa: E402

DOCKS = ("Segment capsule", "Compare annotations", "Train", "Correct capsule", "Batch")
PATIENCE_S = 600


def play(dock: str, delay_s: float) -> int:
    """Open napari with a dock, and close its window a while later."""
    import napari
    from qtpy.QtCore import QTimer

    viewer = napari.Viewer()
    viewer.window.add_plugin_dock_widget("napari-microus", dock)
    QTimer.singleShot(int(1000 * delay_s), viewer.window._qt_window.close)
    napari.run()
    return 0


def environment(home: Path, compiled: Path, token: str) -> dict[str, str]:
    env = {**os.environ, windows.MARK: token, "HOME": str(home)}
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        env[f"XDG_{kind}_HOME"] = f"{home}/{kind.lower()}"
    env["NAPARI_MICROUS_MODELS"] = str(home / "models")
    env["PYTHONPYCACHEPREFIX"] = str(compiled)
    env["PYTHONPATH"] = str(ROOT / "src")
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env.pop("QT_QPA_PLATFORM", None)
    return env


def fault(words: list[str], env: dict[str, str], token: str) -> str:
    """Run a process to its end; return what is wrong with that, or nothing."""
    try:
        done = subprocess.run(
            words, env=env, capture_output=True, text=True, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        for process in windows.alive(token, 0.0):
            os.kill(process, 9)
        return f"has not ended after {PATIENCE_S} s"
    left = windows.alive(token, 5.0)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, 9)
    printed = done.stdout + done.stderr
    if done.returncode or "Traceback" in printed or "terminate called" in printed:
        return f"status {done.returncode}: {printed[-600:]}"
    return f"runs on: {list(left.values())}" if left else ""


def check(name: str, start: str, commands: list[tuple[str, list[str]]]) -> bool:
    """Run commands, each with its note, and print how many ended badly."""
    faults = []
    shared = Path(tempfile.mkdtemp(prefix="compiled-"))
    if start == "warm":  # compiles what the others find
        commands = [*commands[-1:], *commands]
    for note, words in commands:
        token = uuid.uuid4().hex
        with tempfile.TemporaryDirectory(prefix="ends-") as folder:
            compiled = Path(folder) / "compiled" if start == "cold" else shared
            words = [word.replace("HOME", folder) for word in words]
            found = fault(words, environment(Path(folder), compiled, token), token)
        if found:
            faults.append(note)
        print("    ", note, " ".join(found.split()) or "good", flush=True)
    shutil.rmtree(shared, ignore_errors=True)
    print(
        f"| {name} | {start} | {len(commands) - (start == 'warm')} | {len(faults)} |",
        flush=True,
    )
    return not faults


def windows_closed(times: int) -> list[tuple[str, list[str]]]:
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", sys.executable, __file__]
    steps = max(times - 1, 1)
    commands = []
    for number, dock in zip(range(times), cycle(DOCKS), strict=False):
        delay_s = f"{0.1 + 4.9 * number / steps:.2f}"
        commands.append((f"{dock}, {delay_s} s", [*screen, "--play", dock, delay_s]))
    return commands


def demos(times: int) -> list[tuple[str, list[str]]]:
    words = ["-m", "napari_microus", "demo", "--headless", "--output", "HOME/out"]
    return [(f"demo {n}", [sys.executable, *words]) for n in range(times)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=30)
    parser.add_argument("--demos", type=int, default=14, help="cold starts alone")
    parser.add_argument("--starts", nargs="*", default=["cold", "warm"])
    parser.add_argument("--play", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        return play(arguments.play[0], float(arguments.play[1]))
    good = True
    for start in arguments.starts:
        good &= check("window closed", start, windows_closed(arguments.windows))
    if arguments.demos:
        good &= check("demo without a screen", "cold", demos(arguments.demos))
    return not good


if __name__ == "__main__":
    sys.exit(main())
