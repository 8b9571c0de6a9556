"""The recipes of training runs that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from napari_microus.core.errors import ConfigError


def preset_path(name: str) -> Path:
    """Return the YAML file of a preset, or ``name`` itself where it is a file.

    Raises
    ------
    ConfigError
        If neither exists.
    """
    if name in preset_names():
        return Path(str(files("napari_microus") / "presets" / f"{name}.yaml"))
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    raise ConfigError(
        f"The preset must be one of {', '.join(preset_names())} or a YAML file; got "
        f"'{name}'. Choose one.",
        plain=(
            f"There is no preset '{name}'. Choose "
            f"{', '.join(preset_names())}, or name a YAML file that exists."
        ),
    )


def preset_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    folder = files("napari_microus") / "presets"
    names = [entry.name for entry in folder.iterdir()]
    return sorted(name[:-5] for name in names if name.endswith(".yaml"))
