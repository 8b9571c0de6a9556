"""The models at hand: those that come with the package and the user's own.

A model is a folder of four files: ``model.safetensors`` (weights),
``config.yaml`` (architecture, its options, input, version), ``model_card.md``
and ``metrics.json``. The folder's name is the model's name. The user's library
is the platform's data folder, or ``NAPARI_MICROUS_MODELS`` where that is set.
"""

from napari_microus.core.library.catalog import (
    BUNDLED_FOLDER,
    DEFAULT_MODEL,
    find_model,
    import_checkpoint,
    import_model,
    list_models,
    load_model,
    remove_model,
)
from napari_microus.core.library.places import library_folder
from napari_microus.core.library.pretrained import find_published, pretrained_folder
from napari_microus.core.library.store import (
    LoadedModel,
    ModelInfo,
    copy_model,
    read_info,
    read_model,
    require_frames,
    save_model,
    weights_sha256,
)

__all__ = [
    "BUNDLED_FOLDER",
    "DEFAULT_MODEL",
    "LoadedModel",
    "ModelInfo",
    "copy_model",
    "find_model",
    "find_published",
    "import_checkpoint",
    "import_model",
    "library_folder",
    "list_models",
    "load_model",
    "pretrained_folder",
    "read_info",
    "read_model",
    "remove_model",
    "require_frames",
    "save_model",
    "weights_sha256",
]
