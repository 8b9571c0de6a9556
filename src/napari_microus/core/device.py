"""Which processor does the work, and why another cannot.

Before the first run the question is answered without importing PyTorch, which
takes seconds: from the installed build and from the graphics driver.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from napari_microus.core.errors import DeviceError, MicroUSError

P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import TypeAlias

    import torch

    from napari_microus.core.events import Event

    Work: TypeAlias = "Callable[P, Generator[Event, None, R]]"


DEVICES = ("auto", "cuda", "mps", "cpu")
LABELS = {
    "auto": "Automatic",
    "cuda": "NVIDIA GPU (CUDA)",
    "mps": "Apple GPU (MPS)",
    "cpu": "Processor (CPU)",
}
_NO_CUDA_BUILD = "no NVIDIA GPU support installed"
_NO_DRIVER = "no NVIDIA driver or GPU was found"
_NO_APPLE = "it needs a Mac with Apple silicon"
_NO_MPS = "this PyTorch or macOS offers no MPS"


@dataclass(frozen=True)
class DeviceStatus:
    """A device by name, its label for people, and why it cannot be used (or "")."""

    name: str
    label: str
    reason: str = ""

    @property
    def is_available(self) -> bool:
        """True when nothing prevents the use of the device."""
        return not self.reason


def device_statuses() -> list[DeviceStatus]:
    """Return all devices in the order of `DEVICES`, without importing PyTorch."""
    return [DeviceStatus(name, LABELS[name], _reason(name)) for name in DEVICES]


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device to work on.

    Parameters
    ----------
    name : str or torch.device
        ``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"mps"``, ``"cuda"`` or
        ``"cuda:1"``.

    Raises
    ------
    DeviceError
        If the name is unknown or the device is not there, with the reason.
    """
    import torch

    text = str(name).strip().lower()
    if text == "auto":
        usable = [d for d in ("cuda", "mps", "cpu") if not _torch_reason(d)]
        return torch.device(usable[0])
    kind, _, index = text.partition(":")
    if kind not in DEVICES or (index and not index.isdecimal()):
        raise DeviceError(
            f"The device must be auto, cuda, cuda:N, mps or cpu; got '{name}'. "
            "Choose one of them.",
            plain=(
                f"There is no device '{name}'. Choose auto, cuda, cuda:N, mps or cpu."
            ),
        )
    reason = _torch_reason(kind)
    if reason:
        raise DeviceError(
            f"The device must be present; got '{name}', but {reason}. "
            "Choose auto or cpu.",
            plain=f"The model cannot run on {LABELS[kind]}: {reason}. Choose "
            "Automatic (auto) or the processor (cpu).",
        )
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise DeviceError(
            f"The GPU's number must be below {torch.cuda.device_count()}; got "
            f"'{name}'. Choose one that nvidia-smi lists.",
            plain=(
                f"There is no graphics card '{name}': the computer has "
                f"{torch.cuda.device_count()}. Choose one that nvidia-smi lists."
            ),
        )
    return torch.device(text)


# How PyTorch's allocators report a lack of memory where they have no class for it.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error reports that a device or computer lacks memory."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    is_torchs = isinstance(error, RuntimeError) and not isinstance(error, MicroUSError)
    return is_torchs and (
        type(error).__name__ == "OutOfMemoryError"
        or any(words in text for words in _NO_MEMORY)
    )


@contextmanager
def reported_memory(what: str, advice: str) -> Iterator[None]:
    """Turn a lack of memory into a sentence; ``what`` must fit, ``advice`` helps.

    Raises
    ------
    DeviceError
        Instead of what PyTorch and NumPy raise.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"{what} must fit into memory; got an out-of-memory error. {advice}",
            plain=f"{what} takes more memory than there is. {advice}",
        ) from error


def reports_memory(what: str, advice: str) -> Callable[[Work[P, R]], Work[P, R]]:
    """Return a decorator that puts a generator's work under `reported_memory`."""

    def decorate(work: Work[P, R]) -> Work[P, R]:
        @wraps(work)
        def wrapped(*args: P.args, **options: P.kwargs) -> Generator[Event, None, R]:
            with reported_memory(what, advice):
                return (yield from work(*args, **options))

        return wrapped

    return decorate


def _reason(name: str) -> str:
    if name in ("auto", "cpu"):
        return ""
    if "torch" in sys.modules:
        return _torch_reason(name)
    return _no_cuda() if name == "cuda" else _no_mps()


def _torch_reason(name: str) -> str:
    """Return why PyTorch cannot use a device, or nothing."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        return _no_cuda() or _NO_DRIVER
    if name == "mps" and not torch.backends.mps.is_available():
        return _no_mps() or _NO_MPS
    return ""


@cache
def _no_cuda() -> str:
    """Return what prevents CUDA by the look of build and driver, or nothing."""
    build = _torch_build()
    if build.get("hip", "None") != "None":
        return ""  # AMD's GPUs answer to the name of CUDA
    if build.get("cuda") == "None":
        return _NO_CUDA_BUILD
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(library)
    except OSError:
        return _NO_DRIVER
    if sys.platform == "linux" and not Path("/dev/nvidiactl").exists():
        # Windows' Linux has the driver's library and no such file.
        return "" if Path("/dev/dxg").exists() else _NO_DRIVER
    return ""


def _torch_build() -> dict[str, str]:
    """Return the assignments in ``torch/version.py``, as text."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return {}
    try:
        version = Path(spec.origin).parent / "version.py"
        lines = version.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name.partition(":")[0].strip(): value.strip() for name, _, value in pairs}


def _no_mps() -> str:
    is_apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return "" if is_apple else _NO_APPLE
