"""Feed readers thousands of damaged files, in a process that may die of one.

    python tests/reliability/fuzz.py [--count 5000] [--formats nii.gz ...] [--seed 0]

From small valid files of every format, bytes are changed, cut out, doubled, cut off or
written over; in text headers numbers too. Allowed is to read the file as a second
library does, or one of our errors. Not allowed are another exception, a crash, more
than 5 s, more than 1 GB, and pixels that a second library reads differently. Prints a
row for each format: files, files read, failures; ends with 1 if there was a failure.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

HANG_S, ROOM = 5, 1 << 30
_TEXT = re.compile(rb"-?\d+(?:\.\d+)?")
SHAPE = (3, 12, 16)
#: Headers at the start of a file, in which numbers are worth changing.
_HEADED = {"nrrd", "mha", "json", "yaml", "csv"}


# ------------------------------------------------------------------ valid files
def volume():
    from napari_microus.core.volume import Volume

    grid = np.diag([-0.05, -0.04, 0.5, 1.0])
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    array = np.stack([(7 * y + 11 * x + 40 * z) % 251 for z in range(SHAPE[0])])
    return Volume(array.astype(np.uint8), grid)


def seeds(kind: str, folder: Path) -> list[Path]:
    """Write valid files of one format."""
    import SimpleITK as sitk
    import tifffile
    from skimage.io import imsave

    from napari_microus.core.io import write_volume

    scan = volume()
    frames = scan.array
    if kind in ("nii", "nii.gz", "nrrd", "mha"):
        one = folder / f"ours.{kind}"
        write_volume(scan, one)
        other = folder / f"itk.{kind}"
        sitk.WriteImage(
            sitk.GetImageFromArray(frames.astype(np.int16)), str(other), kind != "nii"
        )
        return [one, other]
    if kind == "png":
        paths = [folder / f"{n}.png" for n in ("grey", "deep", "colour")]
        imsave(paths[0], frames[0], check_contrast=False)
        imsave(paths[1], frames[0].astype(np.uint16) * 257, check_contrast=False)
        imsave(paths[2], np.stack([frames[0]] * 3, -1), check_contrast=False)
        return paths
    if kind == "tif":
        paths = [folder / f"{n}.tif" for n in ("plain", "zlib", "imagej")]
        tifffile.imwrite(paths[0], frames, photometric="minisblack")
        tifffile.imwrite(paths[1], frames, compression="zlib", photometric="minisblack")
        tifffile.imwrite(paths[2], frames, imagej=True, metadata={"axes": "ZYX"})
        return paths
    if kind == "dcm":
        path = folder / "frame.dcm"
        image = sitk.GetImageFromArray(frames[:1].astype(np.int16))
        image.SetSpacing((0.05, 0.04, 0.5))
        sitk.WriteImage(image, str(path))
        packed = folder / "lossless_jpeg.dcm"  # its decoder must not end the process
        writer = sitk.ImageFileWriter()
        writer.SetFileName(str(packed))
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        image = sitk.GetImageFromArray(frames)
        image.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.3.1")
        writer.Execute(image)
        return [path, packed]
    if kind == "seg":
        return segmentations(scan, folder)
    if kind == "json":
        path = folder / "mask.json"
        made = {"task": "segment", "model": "m", "review": {"approved": [1, 2]}}
        path.write_text(json.dumps({**made, "frames": [0, 1], "date": "2026-01-01"}))
        return [path]
    if kind == "yaml":
        path = folder / "run.yaml"
        path.write_text("epochs: 3\nmodel: small\noptimizer:\n  learning_rate: 0.01\n")
        return [path]
    if kind == "csv":
        path = folder / "manifest.csv"
        path.write_text(
            "case,patient,image,expert,nonexpert,split,ignore,spacing_mm\n"
            "a,p1,a.nii,a1.nii,a2.nii,train,,\n"
            "b,p2,b.nii,b1.nii,,val,1,0.1 0.1\n"
        )
        return [path]
    if kind == "safetensors":
        from safetensors.numpy import save_file

        path = folder / "w.safetensors"
        save_file({"a": np.arange(60, dtype=np.float32).reshape(6, 10)}, path)
        return [path]
    if kind in ("npz", "pth"):
        path = folder / f"w.{kind}"
        if kind == "npz":
            np.savez(path, a=np.arange(60.0), b=np.ones((3, 4)))
        else:
            import torch

            torch.save({"a": torch.arange(60.0), "b": torch.ones(3, 4)}, path)
        return [path]
    raise SystemExit(f"unknown format {kind}")


def segmentations(scan, folder: Path) -> list[Path]:
    """Write DICOM Segmentations with and without a place in the patient."""
    import pydicom

    from napari_microus.core.export.dicom_seg import write_dicom_seg
    from napari_microus.core.io import read_volume

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from dicom_files import dataset, region, save, series

    tissue = region((2, 9), (3, 12), cm=(0.02, 0.03))
    cine = save(dataset(scan.array, regions=[tissue]), folder / "cine.dcm")
    shutil.rmtree(folder / "series", ignore_errors=True)
    series(folder / "series", shape=SHAPE)
    paths = []
    for source in (cine, folder / "series"):
        read = read_volume(source)
        mask = read.like((read.array > 90).astype(np.uint8))
        path = folder / f"{source.stem}_seg.dcm"
        write_dicom_seg(mask, source, path, drawn="manual", overwrite=True)
        paths.append(path)
    placed = pydicom.dcmread(paths[1])  # as others do: the middle frame left out
    del placed.PerFrameFunctionalGroupsSequence[1]
    size = SHAPE[1] * SHAPE[2] // 8
    placed.PixelData = placed.PixelData[:size] + placed.PixelData[2 * size :]
    placed.NumberOfFrames = 2
    placed.save_as(folder / "fewer_seg.dcm")
    return [*paths, folder / "fewer_seg.dcm"]


# ------------------------------------------------------------------ damage
def damage(data: bytes, draw: random.Random, kind: str) -> bytes:
    """Return a changed copy of a file's bytes."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        ways = ["flip", "byte", "cut", "double", "end", "over"]
        if kind in _HEADED:
            ways += ["number"] * 6
        way = draw.choice(ways)
        # Headers lie at the start: half of the damage does too.
        limit = len(out) if draw.random() < 0.5 else min(len(out), 400)
        at = draw.randrange(max(1, limit))
        size = draw.choice((1, 2, 4, 8, 64))
        if way == "flip" and out:
            out[at] ^= 1 << draw.randrange(8)
        elif way == "byte" and out:
            out[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif way == "cut":
            del out[at : at + size]
        elif way == "double":
            out[at:at] = out[at : at + size]
        elif way == "end":
            del out[at:]
        elif way == "over":
            value = draw.choice((0, 0xFF, 0x7F, draw.randrange(256)))
            out[at : at + size] = bytes([value]) * len(out[at : at + size])
        elif way == "number":
            found = list(_TEXT.finditer(bytes(out[:2000])))
            if found:
                spot = draw.choice(found)
                choices = (b"0", b"-1", b"1", b"2", b"999999999", b"nan", b"1e308", b"")
                out[spot.start() : spot.end()] = draw.choice(choices)
    return bytes(out)


# ------------------------------------------------------------------ readers
def ours(kind: str, path: Path):
    """Read a file by the program, and return pixels where it holds some."""
    if kind == "json":
        from napari_microus.core.io import read_provenance

        read_provenance(path.with_name("mask.nii.gz"))
        return None
    if kind == "yaml":
        from napari_microus.core.config import TrainConfig

        TrainConfig.from_yaml(path)
        return None
    if kind == "csv":
        from napari_microus.core.study import Study

        Study.open(path.parent)
        return None
    if kind == "npz":
        from napari_microus.core.models.imagenet21k import read_imagenet21k

        read_imagenet21k(path)
        return None
    if kind in ("safetensors", "pth"):
        from napari_microus.core.models.weights import read_checkpoint

        read_checkpoint(path)
        return None
    from napari_microus.core.io import read_volume

    return read_volume(path).array


def theirs(kind: str, path: Path):
    """Read pixels by another library."""
    if kind in ("nii", "nii.gz"):
        import nibabel as nib

        image = nib.load(path)
        return np.asarray(image.dataobj).T
    if kind in ("nrrd", "mha", "dcm"):
        import SimpleITK as sitk

        return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    if kind == "png":
        from PIL import Image

        return np.asarray(Image.open(path))
    if kind == "tif":
        import tifffile

        with tifffile.TiffFile(path) as file:
            array, page = file.asarray(), file.pages.first
        stated = page.tags.get("PhotometricInterpretation")
        return (
            ~array if stated is not None and stated.value == 0 else array
        )  # white is 0
    return None


def differs(kind: str, path: Path, read) -> bool:
    """Return whether a second library reads other pixels from an accepted file."""
    if read is None or kind == "seg":  # highdicom is compared with in the tests
        return False
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            other = theirs(kind, path)
    except Exception:  # noqa: BLE001  it refuses what we read: counted nowhere
        return False
    if kind == "png" and other.ndim == 3:
        other = other[..., :3]
        if (other != other[..., :1]).any():
            return False  # colour: each library makes its own grey of it
        other = other[..., 0]
    other, read = np.squeeze(other), np.squeeze(read)
    if other.shape != read.shape:
        return True
    return not np.allclose(other, read, equal_nan=True)


# ------------------------------------------------------------------ one process
def work(kind: str, count: int, seed: int, start: int, folder: Path) -> None:
    """Read damaged files from ``start`` on, and report each failure as a line."""
    from napari_microus.core.errors import MicroUSError

    warnings.simplefilter("ignore")
    shutil.rmtree(folder / "in", ignore_errors=True)
    (folder / "in").mkdir()
    valid = [path.read_bytes() for path in seeds(kind, folder / "in")]
    names = {"json": "mask.json", "csv": "manifest.csv", "seg": "file.dcm"}
    path = folder / names.get(kind, f"file.{kind}")
    for data in valid:  # they are valid, and everything is imported
        path.write_bytes(data)
        with contextlib.suppress(MicroUSError):
            differs(kind, path, ours(kind, path))
    used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))

    def hang(*rest):
        raise TimeoutError(f"longer than {HANG_S} s")

    signal.signal(signal.SIGALRM, hang)
    read = 0
    for number in range(start, count):
        (folder / "next").write_text(str(number))
        (folder / "next").replace(folder / "at")  # whole, even if the process dies
        draw = random.Random(f"{seed} {kind} {number}")
        path.write_bytes(damage(draw.choice(valid), draw, kind))
        signal.alarm(HANG_S)
        try:
            found = ours(kind, path)
            read += 1
            if differs(kind, path, found):
                tell(number, "other pixels", path)
        except MicroUSError:
            pass
        except BaseException as error:  # noqa: BLE001  each is reported
            tell(number, f"{type(error).__name__}: {error}", path)
        finally:
            signal.alarm(0)
    (folder / "at").write_text("done")
    print(json.dumps({"read": read}), flush=True)


def tell(number: int, what: str, path: Path) -> None:
    kept = path.with_name(f"{number}-{path.name}")
    kept.write_bytes(path.read_bytes())
    print(json.dumps({"number": number, "what": what[:200]}), flush=True)


# ------------------------------------------------------------------ all formats
FORMATS = (
    "nii nii.gz nrrd mha png tif dcm seg json csv yaml safetensors npz pth"
).split()


def watched(args: list[str], at: Path) -> tuple[str, str]:
    """Run a process; return what it printed, and how it ended if it came to no end.

    A library's C code does not listen to an alarm: such a process is killed.
    """
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
    ):
        process = subprocess.Popen(args, stdout=out, stderr=err)
        begun = time.time()
        ended = ""
        while process.poll() is None:
            time.sleep(0.1)
            last = max(begun + 60, at.stat().st_mtime if at.exists() else 0)
            if at.exists() and at.stat().st_mtime > begun:
                last = at.stat().st_mtime
            if time.time() - last > 2 * HANG_S:
                process.kill()
                ended = f"hang: longer than {2 * HANG_S} s"
        out.seek(0)
        err.seek(0)
        said = err.read().strip().splitlines()[-1:] or [f"exit {process.returncode}"]
        return out.read(), ended or f"crash ({process.returncode}): {said[0]}"


def run(kind: str, count: int, seed: int, folder: Path) -> dict:
    """Fuzz one format, continuing after a crash; return what happened."""
    failures, read, start = [], 0, 0
    (folder / "at").unlink(missing_ok=True)
    while start < count:
        args = [sys.executable, __file__, "--work", kind, "--count", str(count)]
        args += ["--seed", str(seed), "--start", str(start), "--folder", str(folder)]
        out, words = watched(args, folder / "at")
        for line in out.splitlines():
            if line.startswith("{"):
                stated = json.loads(line)
                read += stated.get("read", 0)
                failures += [stated] if "what" in stated else []
        if not (folder / "at").exists():
            raise SystemExit(f"{kind} did not begin: {words}")
        at = (folder / "at").read_text(encoding="utf-8")
        if at == "done":
            break
        failures.append({"number": int(at), "what": words[:200]})
        start = int(at) + 1
    return {"format": kind, "files": count, "read": read, "failures": failures}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(
            *(arguments.work, arguments.count, arguments.seed),
            *(arguments.start, arguments.folder),
        )
        return 0
    bad = 0
    for kind in arguments.formats:
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.keep / kind if arguments.keep else Path(temporary)
            os.makedirs(folder, exist_ok=True)
            stated = run(kind, arguments.count, arguments.seed, folder)
        bad += len(stated["failures"])
        counts = f"{stated['files']} | {stated['read']} | {len(stated['failures'])}"
        print(f"| {kind} | {counts} |", flush=True)
        for failure in stated["failures"][:8]:
            print("    ", failure["number"], failure["what"], flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
