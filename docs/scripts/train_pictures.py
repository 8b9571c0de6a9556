"""Draw the pictures of `docs/train-dock.md`: a real, small run in the dock.

Usage: ``xvfb-run -a -s "-screen 0 1600x1000x24" python`` and this file.
Three phantoms become a study and two more wait to be annotated; a very small network
learns for some epochs, and the window is pictured while it does. Takes about a minute.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

PICTURES = Path(__file__).parents[1] / "images"
EPOCHS_SEEN = 60
NETWORK = {
    "image_size": 64,
    "hidden_size": 32,
    "mlp_dim": 64,
    "num_heads": 2,
    "num_layers": 1,
    "in_channels": 1,
    "width": 8,
    "bottleneck_expansion": 1,
    "block_units": [1, 1, 1],
    "conv_more_channels": 16,
    "decoder_channels": [16, 8, 8, 8],
    "dropout": 0.0,
}
SETTINGS = {
    "model": {"architecture": "transunet", "transunet": NETWORK},
    "start": None,
    "optimizer.learning_rate": 0.003,
    "optimizer.freeze": [],
    "optimizer.ema": 0.9,
    "early_stop": None,
    "epochs": 200,
}


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    os.environ["NAPARI_MICROUS_MODELS"] = str(folder / "models")
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_microus.core.phantom import make_phantom
    from napari_microus.core.runs.process import command
    from napari_microus.core.runs.workspace import Workspace
    from napari_microus.core.study import Study
    from napari_microus.widgets._shared.layers import layer_arguments
    from napari_microus.widgets.train import TrainWidget

    study = Study.create(folder / "my study")
    for seed in (1, 2, 3):
        case = make_phantom(seed, frames=8)
        names = f"scan{seed}", f"P{seed:03d}"
        split = "val" if seed == 3 else "train"
        study.add_case(*names, case.scan, case.expert, case.nonexpert, split=split)
    for seed in (4, 5):
        waiting = make_phantom(seed, frames=8)
        study.add_case(f"scan{seed}", f"P{seed:03d}", waiting.scan)
    places = Workspace(folder)
    places.remember(study.folder)

    def small(words: list[str]) -> list[str]:
        lines = [f"{name}={json.dumps(value)}" for name, value in SETTINGS.items()]
        return command([*words, *(part for line in lines for part in ("--set", line))])

    viewer = napari.Viewer()
    viewer.window.resize(1500, 960)
    scan = case.scan
    viewer.add_image(scan.array, name="scan3", **layer_arguments(scan))
    dock = TrainWidget(viewer, make_command=small, workspace=places)
    viewer.window.add_dock_widget(dock, name="Train")

    def wait(condition) -> None:
        while not condition():
            QApplication.processEvents()
            time.sleep(0.01)

    def picture(name: str) -> None:
        viewer.reset_view()
        end = time.monotonic() + 1.5
        wait(lambda: time.monotonic() > end)
        viewer.screenshot(str(PICTURES / name), canvas_only=False, flash=False)

    dock.tabs.setCurrentIndex(1)
    ranking = dock.study_page.next
    ranking.rank_button.click()
    wait(lambda: bool(ranking.ranked))
    viewer.layers.clear()
    ranking.open_scan(ranking.ranked[0])
    wait(lambda: len(viewer.layers) == 2)
    picture("train_study.png")
    dock.tabs.setCurrentIndex(0)
    dock.form.fold.expand(animate=False)
    dock.variations.as_layers.setChecked(True)
    dock.variations.button.click()
    wait(lambda: dock.variations.shown is not None)
    wait(lambda: dock.variations.button.isEnabled())
    dock.tabs.widget(0).ensureWidgetVisible(dock.variations.picture)
    picture("train_variations.png")
    dock.variations.as_layers.setChecked(False)
    viewer.layers.clear()
    dock.form.fold.collapse(animate=False)
    dock.start_button.click()
    wait(lambda: len(dock.panel.history.epochs) >= EPOCHS_SEEN)
    dock.panel.watched.as_layers.setChecked(True)
    picture("train_dock.png")
    dock.panel.cancel_button.click()
    wait(lambda: not dock.panel.is_active)
    viewer.close()


if __name__ == "__main__":
    main()
