"""``napari-microus demo``: the main job on two scans, with or without a screen."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli._screen import has_display, virtual_screen
from napari_microus.cli.application import app


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option(help="Write pictures and masks instead of staying open.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for what is written.")
    ] = Path("demo_output"),
    overwrite: Annotated[
        bool, typer.Option(help="Replace the files of an earlier demo.")
    ] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Open napari with real frames and a phantom, and the model's capsule on both.

    Without a display, the same window is drawn on a virtual screen (where napari is
    installed) and real.png,
    real_capsule.nii.gz, scan.png, hard_region.png, capsule.nii.gz, napari.png and
    report.json are written to the output folder.
    """
    from napari_microus.core.demo import run_demo, write_demo

    missing = _what_is_missing()
    can_show = not missing
    headless = headless or not has_display() or not can_show
    result = drain(run_demo(), progress)
    if not headless:
        from napari_microus.widgets.demo import open_demo

        open_demo(result)
        return

    write_demo(result, output, overwrite=overwrite)
    if can_show:
        with virtual_screen():
            from napari_microus.widgets.demo import picture_demo

            picture_demo(result, output / "napari.png", overwrite=overwrite)
    else:
        print(f"{missing}: there is no picture of napari's window.")
    report, real = result.report, result.report["real"]
    print(
        f"Real frames: DSC {real['dice']:.3f}, HD95 {real['hd95_mm']:.2f} mm against "
        "one outline, from which the model has learnt."
    )
    print(
        f"Phantom: DSC {report['dice']:.3f}, HD95 {report['hd95_mm']:.2f} mm, "
        f"{report['frames']} frames in {report['seconds']:.1f} s. "
        f"Pictures and masks are in {output}."
    )


def _what_is_missing() -> str:
    """Return why napari cannot open here, or nothing."""
    if find_spec("napari") is None:
        return "napari is not installed"
    try:
        import qtpy.QtCore  # noqa: F401  its libraries are the system's
    except ImportError:
        return (
            "Qt cannot be loaded (it or a library of the system that it needs is not "
            "installed; Debian and Ubuntu: make system)"
        )
    return ""
