"""Draw the picture of the *Segment live* dock: real frames from a local server.

Usage: xvfb-run -a -s "-screen 0 1366x768x24" python docs/scripts/live_pictures.py
Needs the bundled model.
"""

import sys
from pathlib import Path

import napari
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from _window import click, settle

from napari_microus.core import samples
from openigtlink_server import Server, image

IMAGES = Path(__file__).parents[1] / "images"


def main(target=IMAGES / "live_dock.png"):
    """Follow the sample's frames at 30 Hz, and draw the window while it runs."""
    frames = samples.read_sweep().scan.array
    matrix = (0.125, 0, 0, 0, 0.125, 0, 0, 0, 1, 0, 0, 0)
    messages = [image(np.ascontiguousarray(f), matrix=matrix) for f in frames]

    def talk(peer, stop):
        number = 0
        while not stop.wait(1 / 30):
            peer.sendall(messages[number // 15 % len(messages)])
            number += 1

    server = Server(talk)
    viewer = napari.Viewer()
    viewer.window.resize(1300, 720)
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", "Segment live")
    settle()
    dock.address.setText(f"localhost:{server.port}")
    click(dock.connect_button)
    settle(lambda: len(viewer.layers) == 2)
    viewer.reset_view()
    settle(at_least_s=5)
    click(dock.keep_button)
    settle(lambda: len(viewer.layers) == 4)
    viewer.layers[2].visible = viewer.layers[3].visible = False
    settle(at_least_s=2)
    viewer.screenshot(str(target), canvas_only=False, flash=False)
    print(dock.numbers.text())
    click(dock.connect_button)
    settle(lambda: not dock.is_running)
    server.close()
    viewer.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
