"""Run the notebooks of docs/notebooks and keep what they print and draw.

Usage: python docs/scripts/run_notebooks.py [--check]
Each runs in an empty folder. With --check nothing is written: a notebook that fails
ends with its error. No Jupyter is needed.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def run(notebook: dict) -> dict:
    """Run a notebook's cells in the current folder, and fill in their outputs."""
    import matplotlib

    matplotlib.use("Agg")
    names: dict = {"__name__": "__main__"}
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        count += 1
        cell["execution_count"] = count
        cell["outputs"] = run_cell("".join(cell["source"]), names, count)
    return notebook


def run_cell(source: str, names: dict, count: int) -> list[dict]:
    """Run one cell, and return what it printed, gave back and drew."""
    from matplotlib import pyplot as plt

    tree = ast.parse(source)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {count}", "exec"), names)
        if last is not None:
            value = eval(compile(last, f"cell {count}", "eval"), names)
    outputs: list[dict] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    if value is not None and not plt.get_fignums():
        outputs.append(
            {
                "output_type": "execute_result",
                "execution_count": count,
                "metadata": {},
                "data": {"text/plain": repr(value).splitlines(keepends=True)},
            }
        )
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(
            picture,
            format="png",
            dpi=80,
            bbox_inches="tight",
            metadata={"Software": ""},
        )
        outputs.append(
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"image/png": base64.b64encode(picture.getvalue()).decode()},
            }
        )
    plt.close("all")
    return outputs


def main(words: list[str]) -> None:
    here = Path.cwd()
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            os.environ["NAPARI_MICROUS_MODELS"] = str(Path(folder) / "models")
            os.chdir(folder)
            try:
                run(notebook)
            finally:
                os.chdir(here)
        if "--check" not in words:
            text = json.dumps(notebook, indent=1, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
        print(path.name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
