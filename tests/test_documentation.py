"""Every shell and Python block of the documentation runs, page by page, in its order.

A block that cannot run here has a comment on the line before it that says why,
``<!-- not run: takes hours -->``; they are counted below. Each page runs
in a folder of its own that holds the small files its blocks speak of. Training keeps
the words of its command, with a network and a number of steps that take no time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dicom_files import FULL, dataset, region, save, series
from napari_microus.cli import main
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.phantom import make_phantom
from napari_microus.core.sweep import Sweep, even_angles
from napari_microus.core.volume import Volume
from tiny_network import TINY

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
        ROOT / "sample_data" / "README.md",
        ROOT / "slicer_extension" / "README.md",
    )
)
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
COMMANDS = ("napari-microus", "python", "pip", "make", "git", "torchrun", "napari")
#: The share of blocks that may say why they do not run here.
MOST_NOT_RUN = 0.4

SMALL = {
    "model": {"architecture": "transunet", "transunet": TINY},
    "start": None,
    "optimizer.freeze": [],
    "early_stop": None,
    "epochs": 1,
    "batch_size": 2,
    "threads": 1,
    "device": "cpu",
    "to_library": False,
    "data.phantom_frames": 4,
    "data.phantom_val_cases": 1,
    "data.phantom_val_frames": 1,
    "data.samples_per_epoch": 2,
}


class Block:
    def __init__(self, page, match):
        self.page = page
        self.line = match.string[: match.start()].count("\n") + 1
        self.language = match["language"]
        self.why_not = match["why"]
        text = match["text"]
        self.text = re.sub(rf"^{match['indent']}", "", text, flags=re.MULTILINE)

    def __repr__(self):
        return f"{self.page}:{self.line}"

    @property
    def is_shell(self):
        return self.language in ("sh", "bash", "shell", "console", "powershell")

    def commands(self):
        """Return the block's commands, as a shell takes them apart."""
        joined = self.text.replace("\\\n", " ")
        lines = (shlex.split(line, comments=True) for line in joined.splitlines())
        return [words for words in lines if words]


def blocks_of(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, match) for match in FENCE.finditer(text)]


def runnable(page):
    return [
        block
        for block in blocks_of(page)
        if (block.is_shell or block.language == "python") and not block.why_not
    ]


def test_no_command_hides_in_a_block_without_a_language():
    hidden = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        hidden += [
            block
            for block in blocks_of(page)
            if not block.language and block.text.startswith(COMMANDS)
        ]
        outside = FENCE.sub("", text)
        hidden += [
            f"{page}: {line}"
            for line in outside.splitlines()
            if re.match(rf"    (?:{'|'.join(COMMANDS)}) ", line)
        ]
    assert not hidden


def test_few_blocks_do_not_run_and_each_says_why():
    skipped = [block for page in PAGES for block in blocks_of(page) if block.why_not]
    run = [block for page in PAGES for block in runnable(page)]
    print(f"{len(run)} blocks run, {len(skipped)} do not")
    assert len(skipped) < MOST_NOT_RUN * (len(run) + len(skipped)), skipped
    assert not [block for block in skipped if len(block.why_not.split()) < 3]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The small files that the pages speak of, one set for all of them."""
    folder = tmp_path_factory.mktemp("files")
    for seed in (1, 2, 3):
        case = make_phantom(seed, frames=3, shape=(60, 86))
        for place, volume in (
            ("scans", case.scan),
            ("experts", case.expert),
            ("gold", case.expert),
            ("students", case.nonexpert),
            ("student", case.nonexpert),
            ("residents", case.nonexpert),
        ):
            (folder / place).mkdir(exist_ok=True)
            write_volume(volume, folder / place / f"case_{seed}.nii.gz")
    write_volume(case.scan, folder / "scan.nii.gz")
    many = Volume(np.repeat(case.scan.array, 5, axis=0)[:13], case.scan.affine)
    write_volume(many, folder / "scan.nrrd")
    write_mask(case.expert, folder / "expert.nii.gz")
    write_mask(case.expert, folder / "expert.seg.nrrd")
    write_mask(case.expert, folder / "mask.nii.gz")
    for name in ("nonexpert", "student"):
        write_mask(case.nonexpert, folder / f"{name}.nii.gz")
    (folder / "frames").mkdir()
    for number in range(5):
        frame = case.scan.array[number % 3]
        Image.fromarray(frame).save(folder / "frames" / f"frame{number}.png")
    Image.fromarray(frame).save(folder / "frame.png")
    return folder


@pytest.fixture
def given(files, tmp_path, monkeypatch):
    """A folder of a page's own, with the files."""
    page = tmp_path / "page"
    shutil.copytree(files, page)
    monkeypatch.chdir(page)
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return page


def prepare(page, folder):
    """Make what one page speaks of besides, and return its Python names."""
    names = {"__name__": "__main__"}
    made = PREPARED.get(page)
    if made is not None:
        names.update(made(folder) or {})
    return names


def masks(folder):
    expert = read_volume(folder / "expert.nii.gz").array
    nonexpert = read_volume(folder / "nonexpert.nii.gz").array
    return {
        "expert": expert,
        "nonexpert": nonexpert,
        "masks": [expert, nonexpert, expert],
        "areas_of_expert": [10.0, 12.0, 9.0, 14.0, 11.0],
        "areas_of_student": [11.0, 12.5, 9.5, 13.0, 11.5],
        "patients": ["a", "b", "c", "d", "e"],
    }


def loss_tensors(folder):
    import torch

    from napari_microus.core.config import TransUNetConfig
    from napari_microus.core.models.transunet import TransUNet

    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    return {
        "model": TransUNet(TransUNetConfig.from_dict(TINY)),
        "frames": torch.rand(1, 1, 32, 32),
        "expert": mask,
        "nonexpert": mask.roll(2, -1),
    }


def study(name, patients=2, waiting=False):
    """Return a function that makes a study of phantoms."""

    def make(folder):
        from napari_microus.core.study import Study

        made = Study.create(folder / name)
        for seed in range(patients):
            case = make_phantom(seed, frames=2, shape=(48, 64))
            made.add_case(
                *(f"scan{seed}", f"P{seed}", case.scan, case.expert, case.nonexpert)
            )
        if waiting:
            case = make_phantom(7, frames=2, shape=(48, 64))
            made.add_case("scan7", "P7", case.scan)
            (folder / "mask.nii.gz").unlink()
            write_mask(case.expert, folder / "mask.nii.gz")
        return {}

    return make


def clinic(folder):
    """A cine with a calibrated region, a series, their capsules, and a stated sweep."""
    from napari_microus.core.edit.review import Review
    from napari_microus.core.io import ScanProperties, write_scan_properties

    case = make_phantom(3, frames=3, shape=(60, 86))
    whole = region((0, 59), (0, 85))
    cine = dataset(case.scan.array, regions=[whole], **FULL)
    save(cine, folder / "sweep.dcm")
    save(cine, folder / "scan.dcm")
    (folder / "export").mkdir()
    save(cine, folder / "export" / "loop.dcm")
    scan = read_volume(folder / "scan.dcm")
    (folder / "scan.nii.gz").unlink()
    write_volume(scan, folder / "scan.nii.gz")
    mask = scan.like(case.expert.array)
    write_mask(mask, folder / "capsule.nii.gz", provenance={"model": "none"})
    series(folder / "series")
    frames = read_volume(folder / "series")
    inside = np.zeros(frames.shape, np.uint8)
    inside[1:5, 5:15, 5:20] = 1
    drawn = folder / "series_capsule.nii.gz"
    write_mask(frames.like(inside), drawn, provenance={"model": "none"})
    sweep = Sweep("rotational", "columns", -10.0, even_angles(-30, 30, 3))
    stated = ScanProperties(sweep=sweep)
    write_scan_properties(folder / "scan.nii.gz", stated)
    probability = scan.like(case.expert.array * np.float32(0.9))
    write_volume(probability, folder / "probability.nii.gz")
    return {"probability": probability, "mended": mask, "review": Review(3)}


def in_napari(folder):
    components = pytest.importorskip("napari.components")
    from npe2 import PluginManager, PluginManifest

    manifest = ROOT / "src" / "napari_microus" / "napari.yaml"
    if "napari-microus" not in PluginManager.instance():
        PluginManager.instance().register(PluginManifest.from_file(manifest))
    clinic(folder)
    (folder / "scan.scan.json").unlink()
    (folder / "expert.seg.nrrd").unlink()
    write_mask(read_volume(folder / "capsule.nii.gz"), folder / "expert.seg.nrrd")
    return {"viewer": components.ViewerModel()}


#: Pages that take more than some seconds; `make test-all` runs them.
LONG = {
    "docs/clinic.md",
    "docs/how-to/batch.md",
    "docs/models.md",
    "docs/train.md",
}

PREPARED = {
    "README.md": study("my_study"),
    "docs/clinic.md": clinic,
    "docs/compare.md": masks,
    "docs/concepts/hard-region.md": masks,
    "docs/concepts/staple.md": masks,
    "docs/losses.md": loss_tensors,
    "docs/how-to/fine-tune.md": study("study_of_five", patients=5),
    "docs/how-to/cards.md": study("my_study"),
    "docs/files.md": in_napari,
    "docs/study.md": study("my_study", patients=5, waiting=True),
    "docs/train.md": study("my_study", patients=3),
}


def run_python(block, names):
    exec(compile(block.text, repr(block), "exec", dont_inherit=True), names)


def run_shell(block, monkeypatch):
    for words in block.commands():
        if words[0] == "make":
            targets = re.findall(
                r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M
            )
            assert words[1] in targets, f"{block}: make {words[1]} is no target"
        elif words[0] == ".venv/bin/python" and words[1:3] == ["-m", "pytest"]:
            assert (ROOT / words[-1]).exists(), f"{block}: {words[-1]} is not there"
        elif words[0] == "napari-microus":
            run_command(block, words, monkeypatch)
        else:
            pytest.fail(f"{block}: nobody knows how to run {shlex.join(words)}")


def run_command(block, words, monkeypatch):
    if words[1] in ("train", "reproduce"):
        lines = (f"{name}={json.dumps(value)}" for name, value in SMALL.items())
        words = [*words, *(part for line in lines for part in ("--set", line))]
    elif words[1] == "phantom":
        words = [*words, "--frames", "2", "--rows", "60", "--columns", "86"]
    words = ["cpu" if word == "cuda" else word for word in words]
    monkeypatch.setattr(sys, "argv", words)
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = ended.code or 0
    assert status == 0, f"{block}: {shlex.join(words)} gave {status}"


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)])
def test_page_runs(page, given, monkeypatch, capsys):
    if page in LONG and "MICROUS_LONG_TESTS" not in os.environ:
        pytest.skip("takes long; MICROUS_LONG_TESTS=1 or make test-all runs it")
    names = prepare(page, given)
    for block in runnable(page):
        if block.is_shell:
            run_shell(block, monkeypatch)
        else:
            run_python(block, names)


NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def notebook_runner():
    path = ROOT / "docs" / "scripts" / "run_notebooks.py"
    spec = importlib.util.spec_from_file_location("run_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_was_run_from_top_to_bottom_without_an_error(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert outputs
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert "/tmp/" not in json.dumps(outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    if "MICROUS_LONG_TESTS" not in os.environ:
        pytest.skip("takes long; MICROUS_LONG_TESTS=1 or make test-all runs it")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook_runner().run(notebook)


def test_a_cell_keeps_what_it_prints_gives_back_and_draws():
    runner = notebook_runner()
    names = {}
    (printed, value) = runner.run_cell("a = 2\nprint(a)\na + 1", names, 1)
    assert printed["text"] == ["2\n"]
    assert value["data"]["text/plain"] == ["3"]
    with pytest.raises(ZeroDivisionError):
        runner.run_cell("a / 0", names, 2)
