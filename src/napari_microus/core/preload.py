"""Bring PyTorch into memory without holding up the other threads."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# In the order in which they need each other.
_LIBRARIES = ("c10", "torch_cpu", "torch", "torch_python")


def import_torch() -> None:
    """Import PyTorch from a thread while a window keeps answering.

    An import maps and links its libraries with Python's lock held: for PyTorch's
    half a gigabyte that is a fifth of a second in which no other thread runs. Called
    as a foreign function, the system's loader does the same without the lock, and
    the import then finds them there.
    """
    if "torch" in sys.modules:
        return
    for library in _libraries():
        _map(library)
    with gc_paused():
        import torch  # noqa: F401


@contextmanager
def gc_paused() -> Iterator[None]:
    """Search for no garbage while many objects are made that are none.

    A search holds Python's lock: a quarter of a second where a window has objects of
    its own. What an import or a compiler makes goes to the oldest generation unseen.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # from where nothing is collected into the oldest generation
        if collects:
            gc.enable()


def _libraries() -> list[Path]:
    """Return PyTorch's libraries, none where the loader is not a plain function."""
    if os.name != "posix":
        return []
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "lib"
    ending = "dylib" if sys.platform == "darwin" else "so"
    found = [folder / f"lib{name}.{ending}" for name in _LIBRARIES]
    return [path for path in found if path.is_file()]


def _map(library: Path) -> bool:
    """Map a library; where that fails, the import will say why."""
    load = ctypes.CDLL(None).dlopen
    load.restype = ctypes.c_void_p
    load.argtypes = [ctypes.c_char_p, ctypes.c_int]
    return load(os.fsencode(library), os.RTLD_NOW | os.RTLD_LOCAL) is not None
