"""Where models lie, and how one is found by its name."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.files import bring_back
from napari_microus.core.library.places import library_folder
from napari_microus.core.library.store import (
    CONFIG,
    LoadedModel,
    ModelInfo,
    copy_model,
    read_info,
    read_model,
    save_model,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

BUNDLED_FOLDER = Path(__file__).parents[2] / "models"
DEFAULT_MODEL = "microus-small"


def list_models() -> list[ModelInfo]:
    """Return all models by name, the user's before bundled ones of the same name.

    A folder that cannot be used is listed with its ``problem``; the default
    model comes first.
    """
    found: dict[str, ModelInfo] = {}
    for parent, is_bundled in ((library_folder(), False), (BUNDLED_FOLDER, True)):
        if not parent.is_dir():
            continue
        if not is_bundled:
            bring_back(parent)
        for folder in sorted(parent.iterdir()):
            is_model = (folder / CONFIG).is_file() and not folder.name.startswith(".")
            if is_model and folder.name not in found:
                found[folder.name] = read_info(folder, is_bundled=is_bundled)
    return sorted(found.values(), key=lambda m: (m.name != DEFAULT_MODEL, m.name))


def find_model(name_or_path: str | Path) -> ModelInfo:
    """Return the model of that name, or in that folder.

    Raises
    ------
    ConfigError
        If there is none; the known names are listed.
    """
    models = list_models()
    for model in models:
        if model.name == str(name_or_path):
            return model
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        return read_info(folder)
    known = ", ".join(model.name for model in models)
    advice = f"Choose one of: {known}." if known else "The library is empty: train one."
    raise ConfigError(
        "The model must be in the library or be a model's folder; got "
        f"'{name_or_path}'. {advice}",
        plain=f"There is no model '{name_or_path}'. {advice}",
    )


def load_model(
    name_or_path: str | Path = DEFAULT_MODEL, device: Any = "cpu"
) -> LoadedModel:
    """Return a model of the library, or of a folder, ready to predict.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `list_models`, or a model's folder.
    device : str or torch.device
        Where the network goes; ``"auto"`` takes the fastest.

    Raises
    ------
    ConfigError
        If there is no such model.
    CheckpointError
        If its folder is incomplete, corrupt or of a foreign network.
    DeviceError
        If the device is not there.
    """
    from napari_microus.core.device import choose_device

    info = find_model(name_or_path)
    return read_model(info.path, choose_device(device))


def remove_model(name: str) -> Path:
    """Delete a model of the user's library and return where it was.

    Raises
    ------
    ConfigError
        If there is no such model, or it came with the package.
    OutputError
        If the folder cannot be deleted.
    """
    info = find_model(name)
    if info.is_bundled or info.path.parent != library_folder():
        raise ConfigError(
            f"Only a model of the user's library can be removed; got '{name}'. "
            "Bundled models stay with the package; delete other folders yourself.",
            plain=f"'{name}' came with the program and cannot be removed.",
        )
    try:
        shutil.rmtree(info.path)
    except OSError as error:
        raise OutputError(
            f"The library must be writable; got {info.path} ({error.strerror}). "
            "Check the permissions.",
            plain=(
                f"The model cannot be removed from {info.path} ({error.strerror}). "
                "Check the permissions."
            ),
        ) from error
    return info.path


def import_model(
    path: str | Path, *, name: str | None = None, overwrite: bool = False
) -> Path:
    """Bring a model's folder, or a published file, into the user's library.

    Parameters
    ----------
    path : str or Path
        A folder such as a run's ``model``, a file as in `import_checkpoint`, or one of
        published ImageNet weights (``R50+ViT-B_16.npz``, ``resnet50-0676ba61.pth``),
        which is no model but what a training can start from.
    name : str, optional
        The model's name; the folder's or the file's by default. Published weights
        keep theirs.
    overwrite : bool
        Replace a model of that name.

    Returns
    -------
    Path
        The new model's folder, or the file of the weights.

    Raises
    ------
    CheckpointError
        If the folder or the file is no complete model.
    OutputError
        If there is a model of that name and ``overwrite`` is False.
    """
    path = Path(path)
    if not path.is_dir():
        from napari_microus.core.library.pretrained import (
            import_published,
            published_file,
        )

        if path.suffix == ".npz" or published_file(path) is not None:
            return import_published(path)
        return import_checkpoint(path, name=name, overwrite=overwrite)
    read_model(path)  # says what is wrong with it
    target = library_folder() / (name or path.resolve().name)
    return copy_model(path, target, overwrite=overwrite)


def import_checkpoint(
    path: str | Path, *, name: str | None = None, overwrite: bool = False
) -> Path:
    """Bring a MicroSegNet-style ``.pth`` into the user's library.

    Parameters
    ----------
    path : str or Path
        A ``state_dict``, alone or inside a dictionary, with or without
        ``module.`` before its names. Unpickled with ``weights_only=True``.
    name : str, optional
        The model's name; the file's by default.
    overwrite : bool
        Replace a model of that name.

    Returns
    -------
    Path
        The new model's folder.

    Raises
    ------
    CheckpointError
        If the file is no such checkpoint; the first missing, unexpected and
        misshapen entries are named.
    """
    from napari_microus.core.config import ModelConfig
    from napari_microus.core.models.pretrained import load_microsegnet, read_checkpoint
    from napari_microus.core.models.transunet import TransUNet

    path = Path(path)
    weights = read_checkpoint(path)
    config = ModelConfig.base(image_size=_image_size(weights))
    network = TransUNet(config.transunet)
    load_microsegnet(network, weights)
    name = name or path.stem
    return save_model(
        library_folder() / name,
        network,
        config={
            "architecture": config.architecture,
            "options": config.transunet.to_dict(),
            "input": {"size": config.image_size},
            "version": "1",
            "source": path.name,
        },
        card=_imported_card(name, path),
        metrics={},
        overwrite=overwrite,
    )


def _image_size(weights: Mapping[str, Tensor]) -> int:
    """Return the input's edge from the number of position embeddings, one a patch."""
    for name, tensor in weights.items():
        if name.endswith("position_embeddings") and tensor.ndim == 3:
            return 16 * max(2, math.isqrt(tensor.shape[1]))
    return 224


def _imported_card(name: str, path: Path) -> str:
    return (
        f"# {name}\n\nNot for clinical use.\n\nImported from `{path.name}`, a "
        "checkpoint in the layout of MicroSegNet (TransUNet R50-ViT-B/16). How and "
        "on what it was trained, and under which licence it may be used, is for its "
        "source to say; nothing has been measured here.\n"
    )
