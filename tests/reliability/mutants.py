"""Change the code by one operator, number or statement: does a test notice?

    python tests/reliability/mutants.py [--packages losses ...] [--count 40] [--seed 0]

From each package a seeded sample of small changes (mutants) is drawn. In a copy of the
tree one after the other is made, and the tests of that package alone run until the
first fails. A mutant is killed where a test fails or hangs; where none does, either a
test is missing, or the change changes nothing (``equivalent_mutants.json`` names those
with the reason). Prints each survivor, then a row for each package: mutants, killed,
equivalent, survived; ends with 1 where fewer than 85 % of the others are killed.

Changed are comparisons, arithmetic, numbers, booleans, what is returned, and statements
(left out). Texts, annotations, imports and what only types read stay as they are.
"""

from __future__ import annotations

import argparse
import ast
import copy
import itertools
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ("losses", "metrics", "predict", "io", "compare")
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.json")
NEEDED = 0.85
#: Imported before the fork, so that no mutant's tests wait for them again.
HEAVY = (
    *("numpy", "scipy.ndimage", "scipy.stats", "torch", "monai.metrics"),
    *("SimpleITK", "nibabel", "pydicom", "highdicom", "tifffile", "PIL.Image"),
    *("skimage.measure", "skimage.io", "matplotlib.figure", "pytest", "hypothesis"),
)
_OTHER_COMPARISON = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In},
}
_OTHER_ARITHMETIC = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.Pow: ast.Mult},
    **{ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd},
}
_SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "bases", "type_params"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file, named by what stands there before and after."""

    path: str
    line: int
    where: str
    before: str
    after: str
    number: int
    root: Path

    @property
    def text(self) -> str:
        """The whole file with the change; made when it is asked for."""
        (text,) = _walk(self.root / self.path, self.root, self.number)
        assert isinstance(text, str)
        return text

    @property
    def key(self) -> str:
        """Its name in the list of equivalent ones; lines move, so it has none."""
        return f"{self.path}::{self.where}::{self.before} -> {self.after}"


# ------------------------------------------------------------------ making them
def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in a node's place."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[place] = _OTHER_COMPARISON[type(operator)]()
            yield other
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        if type(node.op) in _OTHER_ARITHMETIC:
            other = copy.deepcopy(node)
            other.op = _OTHER_ARITHMETIC[type(node.op)]()
            yield other
        if isinstance(node, ast.AugAssign):
            yield ast.Pass()
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float):
            yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.BoolOp):
        other = copy.deepcopy(node)
        other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield other
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Return):
        if not _is_none(node.value):
            yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Call):
            yield ast.Pass()
    elif isinstance(node, ast.Raise | ast.Continue | ast.Break):
        yield ast.Pass()
    elif isinstance(node, ast.Assign):
        if any(isinstance(at, ast.Attribute | ast.Subscript) for at in node.targets):
            yield ast.Pass()


def _is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def mutants_of(path: Path, root: Path) -> list[Mutant]:
    """Return every mutant of a file, in the order of its text."""
    return [found for found in _walk(path, root) if isinstance(found, Mutant)]


def _walk(path: Path, root: Path, only: int | None = None) -> Iterator[Mutant | str]:
    """Yield the mutants of a file, or the text of one of them alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(root).as_posix()
    numbers = itertools.count()

    def visit(node: ast.AST, where: str, statement: ast.AST) -> Iterator[Mutant | str]:
        if _is_for_types(node) or isinstance(node, ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            where = f"{where}.{node.name}".lstrip(".")
        for field, value in ast.iter_fields(node):
            if field in _SKIPPED_FIELDS:
                continue
            children = value if isinstance(value, list) else [value]
            for place, child in enumerate(children):
                if not isinstance(child, ast.AST):
                    continue
                is_whole = isinstance(child, ast.stmt)
                within = child if is_whole else statement
                at = place if isinstance(value, list) else None
                for new in variants(child):
                    number = next(numbers)
                    if only is not None and number != only:
                        continue
                    before = _short(within)
                    _put(node, field, at, new)
                    if only is not None:
                        yield ast.unparse(ast.fix_missing_locations(tree))
                    after = _short(new if is_whole else within)
                    _put(node, field, at, child)
                    if only is None:
                        line = getattr(child, "lineno", 0)
                        yield Mutant(name, line, where, before, after, number, root)
                yield from visit(child, where, within)

    yield from visit(tree, "", tree)


def _put(parent: ast.AST, field: str, place: int | None, new: ast.AST) -> None:
    if place is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[place] = new


def _short(node: ast.AST) -> str:
    """Return the line of a statement that says what it does."""
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split("\n")[0]


def every(package: str) -> list[Mutant]:
    """Return all mutants of a package."""
    files = sorted((ROOT / "src/napari_microus/core" / package).rglob("*.py"))
    return [mutant for path in files for mutant in mutants_of(path, ROOT)]


def sample(package: str, count: int, seed: int) -> list[Mutant]:
    """Return the mutants that a seed draws from a package."""
    found = every(package)
    return random.Random(f"{seed} {package}").sample(found, min(count, len(found)))


def lived(package: str, printed: Path) -> list[Mutant]:
    """Return the mutants of a package that an earlier run printed, and are there."""
    words = printed.read_text(encoding="utf-8")
    found = re.findall(r"^  \d+ survived \d+ (src/\S+::.*?) *$", words, re.MULTILINE)
    mutants = [mutant for mutant in every(package) if mutant.key in found]
    gone = [key for key in found if f"/{package}/" in key.partition("::")[0]]
    gone = [key for key in gone if key not in {mutant.key for mutant in mutants}]
    for key in gone:
        print(f"  no more in the code: {key}")
    return mutants


# ------------------------------------------------------------------ testing them
class InOrder:
    """Runs the tests of the changed file first, then files from quick to slow."""

    def __init__(self, stem: str, seconds: dict[str, float]) -> None:
        self._stem = stem
        self._seconds = seconds
        self.spent: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list) -> None:
        items.sort(key=self._rank)

    def _rank(self, item) -> tuple[bool, float, str]:
        name = item.path.name
        return name != f"test_{self._stem}.py", self._seconds.get(name, 0.0), name

    def pytest_runtest_logreport(self, report) -> None:
        name = Path(report.fspath).name
        self.spent[name] = self.spent.get(name, 0.0) + report.duration


def run_tests(
    tree: Path, package: str, stem: str, seconds: dict[str, float], limit_s: float
) -> tuple[int, dict[str, float], str]:
    """Run a package's tests in a fork; return the status, seconds a file, the end."""
    log, times = tree / ".log", tree / ".times"
    child = os.fork()
    if not child:
        os.setsid()
        _be_tested(tree, package, InOrder(stem, seconds), log, times)
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        status = -1
    _end_group(child)
    if status == -1:
        os.waitpid(child, 0)
    spent = json.loads(times.read_text(encoding="utf-8")) if times.exists() else {}
    tail = log.read_text(errors="replace")[-600:]
    times.unlink(missing_ok=True)
    return status, spent, tail


def _end_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _be_tested(tree: Path, package: str, plugin: InOrder, log: Path, times: Path):
    """Be the fork: run pytest in the copy, and leave without a trace."""
    code = 3
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(tree)
        source = str(tree / "src")
        sys.path.insert(0, source)
        os.environ["PYTHONPATH"] = source
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        import pytest

        # What has to do with windows takes seconds to load, and tests nothing here.
        off = [f"-pno:{name}" for name in ("napari", "npe2", "pytest-qt", "xvfb")]
        off += ["-pno:napari-plugin-engine", "-pno:cacheprovider", "-pno:zarr"]
        where = f"tests/core/{package}"
        words = ["-x", "-q", "--no-header", "--hypothesis-seed=0", *off, where]
        words += ["-Wignore::pytest.PytestWarning", "-oaddopts=--import-mode=importlib"]
        code = pytest.main(words, plugins=[plugin])
        import napari_microus

        if not napari_microus.__file__.startswith(source):
            code = 3
        times.write_text(json.dumps(plugin.spent), encoding="utf-8")
    except BaseException:  # noqa: BLE001  kept in the log, and never raised in a fork
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))


def copy_tree(to: Path) -> None:
    """Copy what is not hidden and not made."""
    for path in ROOT.iterdir():
        if path.name.startswith(".") or path.name in ("dist", "slicer-export"):
            continue
        if path.is_dir():
            left_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, to / path.name, ignore=left_out)
        else:
            shutil.copy(path, to / path.name)


def judge(package: str, mutants: list[Mutant], known: dict[str, str]) -> dict:
    """Run all mutants of a package, and print each that survives."""
    counts = {"killed": 0, "equivalent": 0, "survived": 0}
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        tree = Path(temporary)
        copy_tree(tree)
        began = time.monotonic()
        status, seconds, tail = run_tests(tree, package, "", {}, 1800)
        took = time.monotonic() - began
        if status:
            raise SystemExit(f"The tests of {package} must pass first:\n{tail}")
        print(f"{package}: tests take {took:.0f} s", flush=True)
        for number, mutant in enumerate(mutants):
            path = tree / mutant.path
            kept = path.read_text(encoding="utf-8")
            path.write_text(mutant.text, encoding="utf-8")
            stem, began = path.stem, time.monotonic()
            status, *_ = run_tests(tree, package, stem, seconds, 60 + 3 * took)
            path.write_text(kept, encoding="utf-8")
            reason = known.get(mutant.key, "")
            end = "killed" if status else "equivalent" if reason else "survived"
            counts[end] += 1
            after = f"{time.monotonic() - began:.0f} s"
            if end != "killed":
                print(f"  {number} {end} {mutant.line} {mutant.key} {reason}")
            print(f"  {number} {end} ({after})", file=sys.stderr, flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--numbers", type=int, nargs="+", help="of the sample only")
    parser.add_argument(
        "--again", type=Path, help="only those that lived, as an earlier run printed"
    )
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in HEAVY:
        __import__(name)
    known = (
        json.loads(EQUIVALENT.read_text(encoding="utf-8"))
        if EQUIVALENT.exists()
        else {}
    )
    rows, is_enough = [], True
    for package in arguments.packages:
        mutants = sample(package, arguments.count, arguments.seed)
        if arguments.again:
            mutants = lived(package, arguments.again)
        if arguments.numbers:
            mutants = [mutants[number] for number in arguments.numbers]
        counts = judge(package, mutants, known)
        alive = counts["killed"] + counts["survived"]
        is_enough &= counts["killed"] >= NEEDED * alive
        share = f"{100 * counts['killed'] / max(alive, 1):.0f} %"
        numbers = " | ".join(str(counts[name]) for name in counts)
        rows.append(f"| {package} | {len(mutants)} | {numbers} | {share} |")
        print(rows[-1], flush=True)
    print("\n".join(["", *rows]))
    return not is_enough


if __name__ == "__main__":
    sys.exit(main())
