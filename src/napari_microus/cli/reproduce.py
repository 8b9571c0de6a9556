"""``napari-microus reproduce``: the papers' tables from one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app
from napari_microus.cli.train import parse_settings


@app.command()
def reproduce(
    source: Annotated[
        Path, typer.Argument(help="A study, or a dataset's folder as it was fetched.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for runs and report.")
    ] = Path("reproduction"),
    preset: Annotated[
        list[str] | None, typer.Option(help="A recipe by name. Repeatable.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Network for all recipes: small or base.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of all recipes.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change any setting of all recipes. Repeatable."),
    ] = None,
    rate: Annotated[
        list[float] | None,
        typer.Option(help="Learning rate to try for each recipe. Repeatable."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each recipe.")] = 1,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Train each recipe once more with this setting, beside itself. "
            "Repeatable."
        ),
    ] = None,
    unchecked: Annotated[
        bool,
        typer.Option(
            "--unchecked", help="Take runs of other code; the report says so."
        ),
    ] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Train the published recipes on one study and report them side by side.

    Finished runs in the output folder are kept and interrupted ones continue, where
    settings, data, split and code are the same.
    """
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.reproduce import reproduce as compare
    from napari_microus.core.reproduce.run import DEFAULT_PRESETS

    changes = parse_settings(settings or [])
    if epochs is not None:
        changes["epochs"] = epochs
    if model is not None:
        named = TrainConfig.from_dict({"model": model})
        own = {"model": changes["model"]} if "model" in changes else {}
        changes["model"] = named.with_changes(own).model.to_dict() if own else model
    work = compare(
        source,
        output,
        presets=preset or DEFAULT_PRESETS,
        changes=changes,
        rates=rate or (),
        seeds=seeds,
        variations=[parse_settings([line]) for line in vary or []],
        unchecked=unchecked,
    )
    report = drain(work, progress)
    if report is None:
        print("Stopped. The same command continues where it was.")
        raise typer.Exit(130)
    print(f"The report is {report}.")
