"""Let memory end at each call of PyTorch in turn, in inference and in training.

    python tests/reliability/memory.py [--times 60]

Every call of PyTorch from our code and from its modules is one that may ask for
memory. At the n-th of them an error is raised as PyTorch's allocators (of a GPU, of the
CPU) and NumPy raise it. Then the work must have gone on, with a notice and the same
result, or have ended with a sentence of ours; and the next run must give the same as
ever. Prints a row for each kind of work: calls, tries, gone on, sentences, failures.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import degenerate
import disks

if TYPE_CHECKING:
    from collections.abc import Callable

ERRORS = (
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
    lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: 16 bytes."),
    lambda: MemoryError(),
)


class Short(TorchFunctionMode):
    """Memory ends at call number ``at``, once; with 0 calls are only counted."""

    def __init__(self, at: int = 0, error: Callable[[], BaseException] = ERRORS[0]):
        super().__init__()
        self.calls, self._at, self._error = 0, at, error

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") == "_set_grad_enabled":
            return function(*args, **(kwargs or {}))  # asks for nothing, and must end
        self.calls += 1
        if self.calls == self._at:
            raise self._error()
        return function(*args, **(kwargs or {}))


def segment(**options) -> tuple[np.ndarray, list[str]]:
    """Return a mask of ten frames, and the notices."""
    from napari_microus.core.events import Notice, drain
    from napari_microus.core.predict import predict

    scan = degenerate.volume(degenerate.plain_scan((10, 30, 40)))
    said: list[str] = []
    work = predict(
        degenerate.network(), scan, device="cpu", precision="float32", **options
    )

    def note(event) -> None:
        said.extend([event.message] if isinstance(event, Notice) else [])

    return drain(work, note).mask.array, said


def inference(times: int) -> tuple[int, int, int, int, list[str]]:
    from napari_microus.core.errors import DeviceError

    wanted, quiet = segment()
    with Short() as counted:
        segment()
    went_on = sentences = tries = 0
    wrong: list[str] = []
    places = np.unique(np.linspace(1, counted.calls, times).astype(int))
    for place, error in itertools.product(places.tolist(), ERRORS):
        tries += 1
        try:
            with Short(place, error):
                mask, said = segment()
            if not np.array_equal(mask, wanted) or len(said) <= len(quiet):
                wrong.append(f"{place} of {counted.calls}: another mask, or no word")
            went_on += 1
        except DeviceError as problem:
            sentences += 1
            if "\n" in str(problem) or not str(problem).endswith("."):
                wrong.append(f"{place}: {problem}")
        except Exception as problem:  # noqa: BLE001  each is reported
            wrong.append(f"{place}: {type(problem).__name__} {problem}"[:200])
        if not np.array_equal(segment()[0], wanted):
            wrong.append(f"{place}: the next run gave another mask")
    return counted.calls, tries, went_on, sentences, wrong


def training(times: int) -> tuple[int, int, int, int, list[str]]:
    from napari_microus.core.config import TrainConfig
    from napari_microus.core.errors import DeviceError
    from napari_microus.core.events import drain
    from napari_microus.core.runs.folder import read_status
    from napari_microus.core.train import resume, train
    from napari_microus.core.train.checkpoint import load_checkpoint

    went_on = sentences = tries = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "inputs").mkdir()
        disks.with_recipe(Path(temporary) / "work")
        recipe = TrainConfig.from_yaml(Path(temporary) / "inputs" / "tiny.yaml")

        def run(name: str) -> Path:
            path = Path(temporary) / name
            drain(train(recipe.with_changes({"output": str(path)})))
            return path

        run("first")
        with Short() as counted:
            run("counted")
        places = np.unique(np.linspace(1, counted.calls, times).astype(int))
        for place, error in zip(places.tolist(), itertools.cycle(ERRORS), strict=False):
            tries += 1
            path = Path(temporary) / f"run{place}"
            try:
                with Short(place, error):
                    run(path.name)
                went_on += 1
                continue
            except DeviceError as problem:
                sentences += 1
                if "\n" in str(problem) or not str(problem).endswith("."):
                    wrong.append(f"{place}: {problem}")
            except Exception as problem:  # noqa: BLE001
                wrong.append(f"{place}: {type(problem).__name__} {problem}"[:300])
            if not (path / "config.yaml").exists():
                continue  # nothing had begun
            if read_status(path).state != "failed":
                wrong.append(f"{place}: {read_status(path).state}")
            last = path / "checkpoints" / "last.ckpt"
            if last.exists():
                load_checkpoint(last)
                if drain(resume(path)).state != "finished":
                    wrong.append(f"{place}: not resumed")
    return counted.calls, tries, went_on, sentences, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--work", nargs="+", default=["inference", "training"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bad = 0
    for name in arguments.work:
        calls, tries, went_on, sentences, wrong = globals()[name](arguments.times)
        bad += len(wrong)
        stated = f"{calls} | {tries} | {went_on} | {sentences} | {len(wrong)}"
        print(f"| {name} | {stated} |", flush=True)
        for line in wrong[:8]:
            print("    ", line, flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
