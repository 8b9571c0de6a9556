"""Odd arrays through every door, and what came of it as a table.

    python tests/reliability/degenerate.py [--large]

Each cell is a kind of array in one door: the answer must equal that for a plain array
of the same values ("same"), or be one of our sentences ("refused"). Any other error, or
another answer, is a failure. ``EXPECTED`` is the table as it stands in
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).parents[1]))

SHAPE = (4, 30, 40)
SAME, REFUSED = "same", "refused"
# Of more than 4 GB in float64; many small frames, as a sweep has them.
LARGE = (8400, 256, 256)


def plain_scan(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Whole numbers from 0 to 126, so that every type holds them."""
    return np.random.default_rng(0).integers(0, 127, shape).astype(np.float32)


def plain_mask(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    z, y, x = shape
    mask[z // 4 : z - z // 4, y // 5 : y - y // 5, x // 4 : x // 2 + 1] = 1
    return mask


def of_type(kind: str) -> Callable[[np.ndarray, Path], Any]:
    return lambda array, folder: array.astype(kind)


def with_value(value: float) -> Callable[[np.ndarray, Path], Any]:
    def make(array: np.ndarray, folder: Path) -> np.ndarray:
        made = array.astype(np.float32)
        made[1, 2, 3] = value
        return made

    return make


def constant(array: np.ndarray, folder: Path) -> np.ndarray:
    return np.ones_like(array)


def strided(array: np.ndarray, folder: Path) -> np.ndarray:
    """Every second value of a larger array, upside down, in Fortran's order."""
    larger = np.zeros([2 * n for n in array.shape], array.dtype, order="F")
    larger[::2, ::2, ::2] = array[:, ::-1]
    return larger[::2, ::2, ::2][:, ::-1]


def read_only(array: np.ndarray, folder: Path) -> np.ndarray:
    made = array.copy()
    made.setflags(write=False)
    return made


def as_dask(array: np.ndarray, folder: Path) -> Any:
    import dask.array

    return dask.array.from_array(array, chunks=(1, 7, 11))


def as_zarr(array: np.ndarray, folder: Path) -> Any:
    import zarr

    made = zarr.create_array(
        folder / f"{uuid4().hex}.zarr",
        shape=array.shape,
        dtype=array.dtype,
        chunks=(1, 8, 8),
    )
    made[:] = array
    return made


def large(array: np.ndarray, folder: Path) -> np.ndarray:
    """More than 4 GB in a sparse memory map; something is in the first frames only."""
    path = folder / f"{uuid4().hex}.raw"
    made = np.memmap(path, np.float64, "w+", shape=LARGE)
    frames, rows, columns = array.shape
    made[:frames, :rows, :columns] = array
    return made


#: Kind of array → how it is made of a plain one, and of which shape.
ARRAYS: dict[str, tuple[Callable[[np.ndarray, Path], Any], tuple[int, ...]]] = {
    "NaN": (with_value(np.nan), SHAPE),
    "infinity": (with_value(np.inf), SHAPE),
    "constant": (constant, SHAPE),
    "one pixel": (of_type("float32"), (1, 1, 1)),
    "one frame": (of_type("float32"), (1, 30, 40)),
    "no frame": (of_type("float32"), (0, 30, 40)),
    "not contiguous": (strided, SHAPE),
    "read-only": (read_only, SHAPE),
    "dask": (as_dask, SHAPE),
    "zarr": (as_zarr, SHAPE),
    "big-endian 16-bit": (of_type(">u2"), SHAPE),
    "big-endian float": (of_type(">f4"), SHAPE),
    "boolean": (of_type("bool"), SHAPE),
    "signed 8-bit": (of_type("int8"), SHAPE),
    "signed 16-bit": (of_type("int16"), SHAPE),
    "unsigned 64-bit": (of_type("uint64"), SHAPE),
    "float16": (of_type("float16"), SHAPE),
    "over 4 GB": (large, SHAPE),
}


# --- the doors: a scan and a mask in, something to compare out


@functools.cache
def network():
    import torch

    from napari_microus.core.config import TransUNetConfig
    from napari_microus.core.models.transunet import TransUNet
    from tiny_network import TINY

    torch.manual_seed(0)
    return TransUNet(TransUNetConfig.from_dict(TINY)).eval()


def volume(array: Any):
    from napari_microus.core.volume import Volume

    return Volume(array, np.diag([-0.1, -0.2, 2.0, 1.0]))


def segment(scan: Any, mask: Any, folder: Path) -> list[Any]:
    from napari_microus.core.events import drain
    from napari_microus.core.predict import predict

    work = predict(
        network(),
        volume(scan),
        device="cpu",
        precision="float32",
        frames=[0] if scan.shape[0] > 100 else None,
        outline="raw",
    )
    found = drain(work)
    return [found.mask.array[:4], found.probability.array[:4]]


def compare(scan: Any, mask: Any, folder: Path) -> list[Any]:
    from napari_microus.core.compare.cases import compare_case
    from napari_microus.core.events import drain
    from napari_microus.core.metrics import evaluate_case

    one = volume(mask)
    two = one.like(rolled(one.array, folder))
    found = drain(compare_case("c", [one, two], ["a", "b"], patient="p"))
    scores = evaluate_case(one.array, two.array, one.spacing_mm)
    return [repr(found.others[0].totals), repr(scores.mean), scores.ignored_voxels]


def rolled(mask: Any, folder: Path) -> np.ndarray:
    """Return a mask moved by one row; a large one without a copy in memory."""
    if len(mask) <= 100:
        return np.roll(np.asarray(mask), 1, axis=1)
    return large(np.roll(mask[:4, :30, :40], 1, axis=1), folder)


def train(scan: Any, mask: Any, folder: Path) -> list[Any]:
    """What a network learns from: a study's frames at the network's size."""
    from napari_microus.core.config import TrainConfig
    from napari_microus.core.events import drain
    from napari_microus.core.study import Study
    from napari_microus.core.train.study_frames import prepare_study

    place = Path(tempfile.mkdtemp(dir=folder))
    study = Study.create(place / "study")
    for name, part in (("a", "train"), ("b", "val")):
        one = volume(scan)
        study.add_case(name, f"p{name}", one, one.like(np.asarray(mask)), split=part)
    data = {"study": str(study.folder), "cache": str(place / "cache")}
    config = TrainConfig.from_dict({"output": "x", "data": data})
    frames = drain(prepare_study(config.data, 32)).frames
    return [np.array(frames.frames[:4]), np.array(frames.expert[:4])]


def measure(scan: Any, mask: Any, folder: Path) -> list[Any]:
    from napari_microus.core.measure import measure as measured

    found = measured(volume(mask))
    return [repr(found.frames[:4]), repr(found.volume), found.mask_diameters]


def export(scan: Any, mask: Any, folder: Path) -> list[Any]:
    from napari_microus.core.export import export as exported

    place, one = Path(tempfile.mkdtemp(dir=folder)), volume(mask)
    names = ("m.csv", "m.stl") if len(one.array) > 100 else ("m.csv", "m.stl", "m.gif")
    return [exported(one, volume(scan), place / name).read_bytes() for name in names]


DOORS = {
    "segment": segment,
    "compare": compare,
    "train": train,
    "measure": measure,
    "export": export,
}


def equal(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        if one.dtype.kind == "f":  # sums of another order of memory
            return np.allclose(one, two, atol=1e-5)
        return np.array_equal(one, two)
    return bool(one == two)


def plain_of(array: Any) -> np.ndarray:
    """Return the same values as anybody would hand them over."""
    return np.ascontiguousarray(np.asarray(array), np.float32)


def try_cell(kind: str, door: str, folder: Path) -> str:
    """Return "same" or "refused"; raise what else happens."""
    from napari_microus.core.errors import MicroUSError

    make, shape = ARRAYS[kind]
    scan = make(plain_scan(shape), folder)
    mask = make(plain_mask(shape), folder)
    try:
        found = DOORS[door](scan, mask, folder)
    except MicroUSError as error:
        is_sentence = str(error).endswith(".") and "\n" not in str(error)
        return REFUSED if is_sentence else f"refused with {error!r}"
    if kind == "over 4 GB":
        return SAME if is_right_of_large(door, found) else "wrong"
    expected = DOORS[door](plain_of(scan), plain_of(mask).astype(np.uint8), folder)
    assert len(found) == len(expected)
    assert all(equal(one, two) for one, two in zip(found, expected, strict=True)), (
        found,
        expected,
    )
    return SAME


def is_right_of_large(door: str, found: list[Any]) -> bool:
    """Compare with the first frames alone, whose values are all that there are."""
    _, rows, columns = LARGE
    scan = np.zeros((4, rows, columns), np.float32)
    mask = np.zeros((4, rows, columns), np.uint8)
    scan[:, :30, :40], mask[:, :30, :40] = plain_scan(), plain_mask()
    with tempfile.TemporaryDirectory() as place:
        few = DOORS[door](scan, mask, Path(place))
    if door in ("segment", "train"):
        same = found[0][:1], few[0][:1]
        return bool(np.array_equal(*same))
    if door == "measure":
        return found[0].split("FrameSize")[1:4] == few[0].split("FrameSize")[1:4]
    if door == "compare":  # the empty frames are counted, and agree by chance
        counts = r"\bframes=\d+|cohen_kappa=[^,]+"
        one, two = (re.sub(counts, "", answer[0]) for answer in (found, few))
        return one == two and found[1:] == few[1:]
    return equal(found[0], few[0])


EXPECTED = {
    # kind: segment, compare, train, measure, export
    "NaN": "refused refused refused refused refused",
    "infinity": "refused refused refused refused refused",
    "constant": "refused same refused same same",
    "one pixel": "refused same refused same refused",
    "one frame": "same same same same refused",
    "no frame": "refused refused refused refused refused",
    "not contiguous": "same same same same same",
    "read-only": "same same same same same",
    "dask": "same same same same same",
    "zarr": "same same same same same",
    "big-endian 16-bit": "same same same same same",
    "big-endian float": "same same same same same",
    "boolean": "same same refused same same",
    "signed 8-bit": "same same same same same",
    "signed 16-bit": "same same same same same",
    "unsigned 64-bit": "same same same same same",
    "float16": "same same same same same",
}


def table(cells: dict[str, dict[str, str]]) -> str:
    lines = [f"| array | {' | '.join(DOORS)} |", "|---" * (len(DOORS) + 1) + "|"]
    lines += [
        f"| {kind} | {' | '.join(row[door] for door in DOORS)} |"
        for kind, row in cells.items()
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="the rows over 4 GB too")
    parser.add_argument("--kinds", nargs="+")
    arguments = parser.parse_args()
    kinds = arguments.kinds or [
        kind for kind in ARRAYS if arguments.large or kind != "over 4 GB"
    ]
    cells: dict[str, dict[str, str]] = {}
    bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        for kind in kinds:
            cells[kind] = {}
            for door in DOORS:
                print(f"{kind}, {door} …", file=sys.stderr, flush=True)
                try:
                    cells[kind][door] = try_cell(kind, door, Path(temporary))
                except Exception as error:  # noqa: BLE001  each is reported
                    bad += 1
                    cells[kind][door] = "FAILED"
                    print(f"{kind}, {door}: {type(error).__name__} {str(error)[:300]}")
    print(table(cells))
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
