"""A network as OpenVINO runs it, where that library is installed and faster.

With AVX2 alone it takes two thirds of the time of PyTorch's kernels for the bundled
network (docs/performance.md). Where a processor multiplies bfloat16, ours is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_microus.core.models.efficientnet import EfficientNetLite
from napari_microus.core.models.export import input_size, trace

if TYPE_CHECKING:
    from napari_microus.core.models.transunet import TransUNet

_logger = logging.getLogger(__name__)


def compiled_form(model: TransUNet, dtype: torch.dtype) -> OpenVINONetwork | None:
    """Return a network in OpenVINO's form, None where that is not to be had or no gain.

    Parameters
    ----------
    model : TransUNet
        On the device where it will work. Not changed.
    dtype : torch.dtype
        Number format of the products; only float32 is left to OpenVINO.
    """
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    encoder = model.transformer.embeddings.hybrid_model
    # A ResNet's gains a sixteenth; its normalisation over groups has ended processes.
    if not (is_on_cpu and dtype is torch.float32):
        return None
    if not isinstance(encoder, EfficientNetLite) or not _is_installed():
        return None
    try:
        return OpenVINONetwork(model)
    except Exception:
        _logger.warning("OpenVINO did not take the network.", exc_info=True)
        return None


class OpenVINONetwork(nn.Module):
    """Maps (B, 1, H, W) to logits of that shape; carries the model's ``config``."""

    def __init__(self, model: TransUNet) -> None:
        super().__init__()
        # Importing it would report to its makers; nothing of ours does.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        openvino: Any = importlib.import_module("openvino")
        self.config = model.config
        size = input_size(model)
        network = openvino.convert_model(trace(model), input=[-1, 1, size, size])
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            # The window's thread keeps its processor.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = openvino.Core().compile_model(network, "CPU", settings)
        self._request = compiled.create_infer_request()
        self._one_at_a_time = threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 logits for frames in [0, 1]."""
        frames = x.detach().to(torch.float32).contiguous().numpy()
        with self._one_at_a_time:
            answer = self._request.infer({0: frames})
            return torch.from_numpy(answer[0].copy())


def _is_installed() -> bool:
    return importlib.util.find_spec("openvino") is not None
