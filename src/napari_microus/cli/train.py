"""Train a network, or continue a run."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_microus.cli._console import (
    ProgressOption,
    ProgressStyle,
    drain,
    lower_priority,
)
from napari_microus.cli.application import app
from napari_microus.core.errors import ConfigError
from napari_microus.core.events import Finished, to_json

_Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change any setting: --set optimizer.learning_rate=0.001. Repeatable.",
    ),
]


@app.command()
def train(
    preset: Annotated[
        str, typer.Option(help="A recipe by name, or a YAML file; see --list.")
    ] = "demo",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder to make.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="Study to learn from; else phantoms.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Model to start from, by name or folder, or imagenet21k."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Network: small or base, if not started from.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cuda, mps or cpu.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the run.")] = None,
    deterministic: Annotated[
        bool, typer.Option(help="Give the same weights on every run.")
    ] = False,
    folds: Annotated[
        str | None,
        typer.Option(
            help="all: train on every fold of the study, each into a run of its own "
            "below the output, and put the ensemble into the library. The same "
            "command again continues where it was stopped."
        ),
    ] = None,
    unchecked: Annotated[
        bool,
        typer.Option(
            "--unchecked",
            help="With --folds: keep and continue runs of other code too.",
        ),
    ] = False,
    settings: _Set = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Show time and memory, and end.")
    ] = False,
    stop_if_long: Annotated[
        bool,
        typer.Option(
            "--stop-if-long",
            help="Measure before the first step, and end if it would take hours.",
        ),
    ] = False,
    list_presets: Annotated[
        bool, typer.Option("--list", help="Print the recipes and end.")
    ] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Train a network; the finished model is put into the library."""
    from napari_microus.core.config.presets import preset_names
    from napari_microus.core.config.train import TrainConfig

    if list_presets:
        print("\n".join(preset_names()))
        return
    changes: dict[str, Any] = {
        "output": str(output or Path("runs") / preset_label(preset)),
        "start": start,
        "model": model,
        "epochs": epochs,
        "device": device,
        "seed": seed,
        "deterministic": True if deterministic else None,
        "data": {"study": str(study)} if study is not None else None,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    config = TrainConfig.preset(preset, **changes)
    if settings:
        config = config.with_changes(parse_settings(settings))
    lower_priority()
    if estimate:
        _print_estimate(config, progress)
        return
    if folds is not None:
        if folds != "all":
            raise ConfigError(
                f"--folds must be all; got '{folds}'. For one fold: --set data.fold=0.",
                plain=(
                    f"--folds takes all, and not '{folds}'. For one fold: --set "
                    "data.fold=0."
                ),
            )
        from napari_microus.core.train.folds import train_folds

        _show(train_folds(config, unchecked=unchecked), progress)
        return
    from napari_microus.core.train import train as start_training

    _show(start_training(config, stop_if_long=stop_if_long), progress)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run that was stopped.")],
    unchecked: Annotated[
        bool,
        typer.Option(
            "--unchecked",
            help="Continue although the code is another; the model's card says so.",
        ),
    ] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Continue with a run exactly where its last checkpoint was made."""
    lower_priority()
    from napari_microus.core.train import resume as go_on

    _show(go_on(run, unchecked=unchecked), progress)


def parse_settings(lines: list[str]) -> dict[str, Any]:
    """Return ``["a.b=1"]`` as ``{"a": {"b": 1}}``, values read as YAML.

    Raises
    ------
    ConfigError
        If a line has no ``=`` or its value is no YAML.
    """
    import yaml

    from napari_microus.core.config.yaml_text import read_yaml

    changes: dict[str, Any] = {}
    for line in lines:
        name, equals, text = line.partition("=")
        try:
            value = read_yaml(text)
        except yaml.YAMLError:
            equals = ""
        if not equals or not name:
            raise ConfigError(
                f"--set must read name=value; got '{line}'. "
                "Write, say, --set optimizer.learning_rate=0.001.",
                plain=(
                    f"--set cannot be read in '{line}'. Write, say, --set "
                    "optimizer.learning_rate=0.001."
                ),
            )
        *sections, last = name.split(".")
        level = changes
        for section in sections:
            level = level.setdefault(section, {})
        level[last] = value
    return changes


def preset_label(preset: str) -> str:
    """Return a name for the run folder of a preset or a YAML file."""
    return Path(preset).stem


def _print_estimate(config: Any, progress: ProgressStyle) -> None:
    from napari_microus.core.train.estimate import estimate
    from napari_microus.core.train.sources import prepare_run
    from napari_microus.core.train.start import resolved

    config = resolved(config)
    data = drain(prepare_run(config), progress)
    found = estimate(config, len(data.frames))
    if progress is ProgressStyle.json:
        print(to_json(Finished(dataclasses.asdict(found))), flush=True)
        return
    print(
        f"{found.parameters / 1e6:.1f} M parameters, about {found.memory_mib:.0f} MiB "
        f"and {found.seconds / 60:.0f} minutes. {found.advice}".rstrip()
    )


def _show(work: Any, progress: ProgressStyle) -> None:
    # Of several processes, the first one prints.
    if os.environ.get("RANK", "0") != "0":
        progress = ProgressStyle.none
    result = drain(work, progress)
    if progress is ProgressStyle.bar:
        dice = "" if result.dice is None else f", DSC {_mean(result.dice):.4f}"
        where = result.model or getattr(result, "run", None) or result.folder
        print(f"{result.state}: {where}{dice}")
    if result.interrupt:  # a shell or a script should know that it did not run out
        raise typer.Exit(128 + result.interrupt)


def _mean(dice: Any) -> float:
    """Return a DSC, of one run or over the patients of all folds."""
    return getattr(dice, "mean", dice)
