"""What a person reads in a dock is a plain sentence, never 'X must be Y; got Z'."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "napari_microus"
#: What docks call, and a person at a dock can make go wrong.
PATHS = (
    *("case", "compare", "edit", "export", "io", "library", "predict", "report"),
    *("sweep_space", "sweep.py", "volumetry.py", "study", "live", "preprocess.py"),
    *("batch", "device.py", "measure", "runs", "volume.py"),
)
#: Such errors that still have no plain words; the number may only fall.
MOST_WITHOUT = 13


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


def test_the_command_line_speaks_plainly():
    """Of its own: what the core says is counted below."""
    formal = [
        f"{path}:{call.lineno}"
        for path, tree in trees(SOURCE / "cli")
        for call in raised(tree)
        if is_formal(call) and not has_plain(call)
    ]
    assert not formal, formal


def test_plain_words_are_plain():
    """None is the formal sentence over again."""
    for path, tree in trees(SOURCE):
        for call in raised(tree):
            for words in (k.value for k in call.keywords if k.arg == "plain"):
                said = "".join(
                    part.value if isinstance(part, ast.Constant) else "x"
                    for part in getattr(words, "values", [words])
                )
                where = f"{path}:{call.lineno}: {said}"
                assert " must " not in said, where
                assert "; got" not in said, where


def test_errors_on_the_way_to_a_dock_mostly_have_plain_words():
    without = [
        f"{path}:{call.lineno}"
        for name in PATHS
        for path, tree in trees(SOURCE / "core" / name)
        for call in raised(tree)
        if is_formal(call) and not has_plain(call)
    ]
    assert len(without) <= MOST_WITHOUT, len(without)
