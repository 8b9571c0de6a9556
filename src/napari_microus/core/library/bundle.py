"""A model as a MONAI bundle, which runs where this package is not installed.

::

    bundle/
      configs/metadata.json     what goes in, what comes out, versions
      configs/inference.json    segments every scan of a folder
      models/model.ts           TorchScript: frames of any size to logits of that size
      docs/README.md            the model card, and how to run the bundle
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import atomic_folder
from napari_microus.core.models.export import input_size, save_script, trace

if TYPE_CHECKING:
    from napari_microus.core.library import LoadedModel

_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
# As `core.preprocess.intensity_window` has it: bytes keep their full range.
_WINDOW = (
    "$lambda x: x.float() / 255 if x.dtype == torch.uint8 else "
    "(x.float() - x.min()) / (x.max() - x.min())"
)


class _AnySize(nn.Module):
    """Resize frames to the network's size, and its logits back."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network = network
        self.size = size

    def forward(self, frames: Tensor) -> Tensor:
        small = F.interpolate(
            frames, [self.size, self.size], mode="bilinear", antialias=True
        )
        logits: Tensor = self.network(small)
        shape = [frames.shape[2], frames.shape[3]]
        return F.interpolate(logits, shape, mode="bilinear", align_corners=False)


def export_bundle(model: LoadedModel, folder: str | Path) -> Path:
    """Write a model as a MONAI bundle and return the bundle's folder.

    The bundle gives the network's answer as it is: the clean-up of `core.predict`
    (largest part of each frame, holes, narrow parts) is not in it.

    Parameters
    ----------
    model : LoadedModel
        A model of the library, on the CPU.
    folder : path
        Folder to make.

    Raises
    ------
    InputError
        If the model is one of volumes.
    OutputError
        If the folder exists or cannot be written.
    """
    if model.channels:
        raise InputError(
            f"A bundle must be of a model of frames; got '{model.name}', which takes "
            f"volumes of {', '.join(model.channels)}. Export it to .onnx or .pt.",
            plain=f"'{model.name}' takes volumes of {', '.join(model.channels)}; MONAI "
            "bundles are written of models of frames alone. Name a file that ends in "
            ".onnx or .pt.",
        )
    folder = Path(folder)
    if folder.exists():
        raise OutputError(
            f"{folder} already exists. Choose another name, or remove it."
        )
    with atomic_folder(folder) as fresh:
        _fill(fresh, model)
    return folder


def _fill(folder: Path, model: LoadedModel) -> None:
    for part in ("configs", "models", "docs"):
        (folder / part).mkdir(parents=True)
    size = input_size(model.network)
    whole: torch.jit.ScriptModule = torch.jit.script(
        _AnySize(trace(model.network), size)
    )
    save_script(whole, folder / "models" / "model.ts")
    for name, content in (("metadata", _metadata(model)), ("inference", _inference())):
        text = json.dumps(content, indent=2) + "\n"
        (folder / "configs" / f"{name}.json").write_text(text, encoding="utf-8")
    card = model.card.strip() or f"# {model.name}"
    (folder / "docs" / "README.md").write_text(card + _USAGE, encoding="utf-8")


def _metadata(model: LoadedModel) -> dict[str, Any]:
    frame = {
        "type": "image",
        "num_channels": 1,
        "spatial_shape": ["*", "*"],
        "dtype": "float32",
        "is_patch_data": False,
    }
    return {
        "schema": _SCHEMA,
        "version": model.version,
        "changelog": {model.version: "exported by napari-microus"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"nibabel": version("nibabel")},
        "name": model.name,
        "task": "Prostate capsule in micro-ultrasound",
        "description": "Segments the prostate capsule in micro-ultrasound frames. "
        "Not for clinical use.",
        "authors": "see docs/README.md",
        "copyright": "see docs/README.md",
        "intended_use": "Research only; not for clinical use.",
        "data_type": "nifti",
        "eval_metrics": model.metrics,
        "weights_sha256": model.weights_sha256,
        "network_data_format": {
            "inputs": {
                "image": frame
                | {
                    "format": "magnitude",
                    "modality": "US",
                    "value_range": [0, 1],
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "pred": frame
                | {
                    "format": "logits",
                    "value_range": [],
                    "channel_def": {"0": "capsule"},
                }
            },
        },
    }


def _inference() -> dict[str, Any]:
    """Return a workflow that needs MONAI and a reader, and nothing else.

    Scans come as (X, Y, Z); the network was taught frames of (Y, X).
    """
    frames = {"_target_": "Transposed", "indices": [0, 3, 2, 1]}
    return {
        "imports": ["$import functools", "$import glob", "$import os", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/scans'",
        "output_dir": "$@bundle_root + '/capsules'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "scans": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*')))",
        "network_def": "$torch.jit.load(@bundle_root + '/models/model.ts', "
        "map_location=@device).eval()",
        "inferer": {
            "_target_": "SliceInferer",
            "spatial_dim": 0,
            "roi_size": [-1, -1],
            "sw_batch_size": 8,
        },
        "preprocessing": [
            {
                "_target_": "LoadImaged",
                "keys": "image",
                "dtype": None,
                "ensure_channel_first": True,
            },
            {"_target_": "Lambdad", "keys": "image", "func": _WINDOW},
            frames | {"keys": "image"},
            {"_target_": "ToDeviced", "keys": "image", "device": "@device"},
            {"_target_": "CopyItemsd", "keys": "image", "names": "pred"},
        ],
        "network": [
            {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x[None]"},
            {
                "_target_": "Lambdad",
                "keys": "pred",
                "func": "$functools.partial(@inferer, network=@network_def)",
            },
            {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x[0]"},
        ],
        "postprocessing": [
            {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
            {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            frames | {"keys": "pred"},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "output_postfix": "capsule",
                "output_dtype": "$torch.uint8",
                "separate_folder": False,
                "resample": False,
            },
        ],
        "segment": {
            "_target_": "Compose",
            "transforms": "$@preprocessing + @network + @postprocessing",
        },
        "run": [
            "$torch.set_grad_enabled(False)",
            "$[0 for _ in map(@segment, [{'image': scan} for scan in @scans])]",
        ],
    }


_USAGE = """

## This bundle

```
from monai.bundle import run

run(config_file="configs/inference.json", bundle_root=".",
    dataset_dir="path/to/scans", output_dir="path/to/capsules")
```

segments every NIfTI of a folder, as does `python -m monai.bundle run` with the same
names as options where Python's `fire` is installed. `models/model.ts` is TorchScript:
frames (B, 1, Y, X) with intensities from 0 to 1 in, logits of the same size out.
The answer is the network's own: napari-microus keeps the largest part of each frame,
fills its holes and cuts off narrow parts; the bundle does not.
"""
