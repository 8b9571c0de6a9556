"""What a person reads in a dock is a plain sentence, never 'X must be Y; got Z'."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "napari_microus"
#: What docks call, and a person at a dock can make go wrong.
PATHS = (
    *("case", "compare", "edit", "export", "io", "library", "predict", "report"),
    *("sweep_space", "sweep.py", "volumetry.py", "study", "live", "preprocess.py"),
)
#: Such errors that still have no plain words; the number may only fall.
MOST_WITHOUT = 225


def trees(folder):
    files = [folder] if folder.suffix else sorted(folder.rglob("*.py"))
    for path in files:
        yield path.relative_to(SOURCE), ast.parse(path.read_text(encoding="utf-8"))


def is_formal(node):
    """Whether an expression holds the words in which errors speak to code."""
    return any(
        isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and "; got" in part.value
        for part in ast.walk(node)
    )


def raised(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield node.exc


def has_plain(call):
    return any(keyword.arg == "plain" for keyword in call.keywords)


def test_docks_speak_plainly():
    formal = []
    for path, tree in trees(SOURCE / "widgets"):
        allowed = {
            part for call in raised(tree) if has_plain(call) for part in ast.walk(call)
        }
        formal += [
            f"{path}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and is_formal(node)
            and node not in allowed
        ]
    assert not formal, "\n".join(formal)


def test_errors_on_the_way_to_a_dock_mostly_have_plain_words():
    without = [
        f"{path}:{call.lineno}"
        for name in PATHS
        for path, tree in trees(SOURCE / "core" / name)
        for call in raised(tree)
        if is_formal(call) and not has_plain(call)
    ]
    assert len(without) <= MOST_WITHOUT, len(without)
