"""``napari-microus models``: what is in the library, in and out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app
from napari_microus.core.errors import ConfigError

models = typer.Typer(
    help="List, show, import, export, fetch and remove models.", no_args_is_help=True
)
app.add_typer(models, name="models")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@models.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the bundled models and those of your library."""
    from napari_microus.core import library

    found = library.list_models()
    if as_json:
        rows = [
            {
                "name": m.name,
                "version": m.version,
                "architecture": m.config.get("architecture"),
                "bundled": m.is_bundled,
                "path": str(m.path),
                "problem": m.problem,
            }
            for m in found
        ]
        print(json.dumps(rows, indent=2))
        return
    for m in found:
        origin = "bundled" if m.is_bundled else "library"
        about = m.problem or f"{m.config['architecture']}, version {m.version}"
        print(f"{m.name:24} {origin:8} {about}")
    if not found:
        print(f"No models yet; the library is {library.library_folder()}.")


@models.command()
def show(
    name: Annotated[str, typer.Argument(help="A model's name or folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show a model's card and its measured figures."""
    from napari_microus.core import library

    info = library.find_model(name)
    info.check()
    if as_json:
        stated = {
            "name": info.name,
            "path": str(info.path),
            "config": info.config,
            "metrics": info.metrics,
            "card": info.card,
        }
        print(json.dumps(stated, indent=2, default=str))
        return
    print(info.card.strip() or f"{info.name} has no card.")
    print(f"\nFolder: {info.path}")
    if info.metrics:
        print(f"Metrics: {json.dumps(info.metrics, indent=2)}")


@models.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="A model's folder, a MicroSegNet-style .pth, or published weights "
            "to start from (R50+ViT-B_16.npz, resnet50-0676ba61.pth)."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Its name in the library.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace that model.")] = False,
) -> None:
    """Bring a colleague's model or a published checkpoint into your library."""
    from napari_microus.core import library

    print(library.import_model(path, name=name, overwrite=overwrite))


@models.command()
def fetch(
    name: Annotated[str, typer.Argument(help="imagenet21k or resnet50")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to keep it in.")
    ] = None,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Fetch public weights to start a training from; resumes where it stopped."""
    from napari_microus.core import library
    from napari_microus.core.models.pretrained import FETCH

    if name not in FETCH:
        raise ConfigError(
            f"The weights to fetch must be {' or '.join(FETCH)}; got '{name}'. Name "
            "them so.",
            plain=f"There are no weights '{name}' to fetch. Name {' or '.join(FETCH)}.",
        )
    print(drain(FETCH[name](output or library.pretrained_folder()), progress))


@models.command()
def export(
    name: Annotated[str, typer.Argument(help="A model's name or folder.")],
    output: Annotated[
        Path,
        typer.Argument(
            help="A file (.onnx, or .pt for TorchScript), or a folder to make, which "
            "becomes a MONAI bundle."
        ),
    ],
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a model for programs that do not have this package."""
    from napari_microus.core import library

    model = library.load_model(name)
    if output.suffix:
        from napari_microus.core.models.export import export_model

        export_model(model.network, output, overwrite=overwrite)
    else:
        from napari_microus.core.library.bundle import export_bundle

        export_bundle(model, output)
    print(output)


@models.command()
def remove(
    name: Annotated[str, typer.Argument(help="A model of your library.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a model of your library, after asking."""
    from napari_microus.core import library

    info = library.find_model(name)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(
                "Removing a model must be confirmed; got no terminal to ask in. "
                "Add --yes.",
                plain=(
                    "Nobody can be asked whether the model shall go: this is no "
                    "terminal. Add --yes."
                ),
            )
        typer.confirm(f"Delete {info.path}?", abort=True)
    library.remove_model(name)
    print(f"Removed {info.name}.")
