"""Pages of the site that are made from what the project itself says.

MkDocs loads this as a hook (``mkdocs.yml``). The command line comes from the parser,
presets from their files, schemas from JSON, notebooks from what they printed, and
contributing and changelog from the files at the root: none of it is written twice.
"""

from __future__ import annotations

import base64
import enum
import json
import re
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from typing import Any

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "napari_microus"
REPOSITORY = "https://github.com/napari-microus/napari-microus/blob/main"
METAVARS = {int: "INTEGER", float: "NUMBER", Path: "PATH"}
SCHEMAS = ("case", "adjudication", "contours")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and put notebooks in the form of pages."""
    made = {
        "reference/cli.md": command_line(),
        "reference/presets.md": presets(),
        "reference/schemas.md": schemas(),
        "contributing.md": from_root("CONTRIBUTING.md"),
        "changelog.md": from_root("CHANGELOG.md"),
    }
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    for notebook in sorted((DOCS / "notebooks").glob("*.ipynb")):
        name = f"notebooks/{notebook.name}"
        found = files.get_file_from_path(name)
        if found is not None:
            files.remove(found)
        page, pictures = notebook_page(notebook)
        files.append(
            File.generated(config, name.replace(".ipynb", ".md"), content=page)
        )
        for picture, content in pictures.items():
            files.append(
                File.generated(config, f"notebooks/{picture}", content=content)
            )
    return files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let the menu name notebooks by their own files."""
    config.nav = json.loads(json.dumps(config.nav).replace(".ipynb", ".md"))
    return config


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Send links that leave the site's folder to the repository, and to notebooks."""
    markdown = re.sub(r"\]\((\S*notebooks/\w+)\.ipynb\)", r"](\1.md)", markdown)
    return re.sub(
        r"\]\((?:\.\./)+(?=[a-z_.]*(?:/|\w+\.(?:md|cff|toml|yaml|py)))"
        r"((?:tests|src|benchmarks|sample_data|slicer_extension|\.github)[^)]*"
        r"|[A-Z]+\.(?:md|cff))\)",
        lambda match: f"]({REPOSITORY}/{match[1]})",
        markdown,
    )


def on_page_content(html: str, page: Page, **_: Any) -> None:
    """Refuse pictures without words, which MkDocs lets pass."""
    for picture in re.findall(r"<img\b[^>]*>", html):
        if not re.search(r'\balt="[^"]+"', picture):
            raise PluginError(f"{page.file.src_path}: a picture needs words: {picture}")


def from_root(name: str) -> str:
    """Return a page of the repository's root, its links as the site has them."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(
        r"\]\(((?!https?:|#)[\w./-]+)\)",
        lambda match: (
            match[0]
            if (DOCS / match[1]).is_file() or match[1] in ("changelog.md",)
            else f"]({REPOSITORY}/{match[1]})"
        ),
        text,
    )


# The command line.


def command_line() -> str:
    """Describe every command as its parser has it."""
    sys.path.insert(0, str(PACKAGE.parent))
    import typer.main

    import napari_microus.cli.commands  # noqa: F401  registers the commands
    from napari_microus.cli import app

    lines = [
        "# Command line",
        "",
        "Made from the parser itself when the site is built. Every command shows the "
        "same with `--help`; a user's mistake ends with one sentence and status 2.",
        "",
    ]
    group: Any = typer.main.get_command(app)
    for name, command in sorted(group.commands.items()):
        lines += _command(f"napari-microus {name}", command, level=2)
    return "\n".join(lines)


def _command(name: str, command: Any, level: int) -> list[str]:
    lines = [f"{'#' * level} {name}", "", _prose(command.help), ""]
    for child, found in sorted(getattr(command, "commands", {}).items()):
        lines += _command(f"{name} {child}", found, level + 1)
    rows = [row for parameter in command.params if (row := _parameter(parameter))]
    if rows:
        lines += ["| | | default |", "|---|---|---|", *rows, ""]
    return lines


def _parameter(parameter: Any) -> str | None:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return None
    is_argument = parameter.param_type_name == "argument"
    metavar = _metavar(parameter)
    if is_argument:
        names = metavar
    else:
        names = ", ".join(
            f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts)
        )
        if not getattr(parameter, "is_flag", False):
            names += f" {metavar}"
    help_text = _prose(getattr(parameter, "help", None) or "")
    if getattr(parameter, "multiple", False):
        help_text += " May be given several times."
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or default is False or default in ((), [], ""):
        shown = ""
    elif callable(default):
        shown = ""
    else:
        shown = f"`{getattr(default, 'value', default)}`"
    cells = (names, help_text.strip(), shown)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _metavar(parameter: Any) -> str:
    """Return what stands for the value; typer's newer parameters have no type of it."""
    if parameter.metavar:
        return f"`{parameter.metavar}`"
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", str)
    kind = next(iter(typing.get_args(kind)), kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(f"`{choice.value}`" for choice in kind)
    return f"`{METAVARS.get(kind, 'TEXT')}`"


def _prose(text: str | None) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\[/?\w+\]", "", text or "")).replace(
        "<", "&lt;"
    )


# Presets and schemas.


def presets() -> str:
    """Show each preset's file under what its first comment says of it."""
    lines = [
        "# Presets",
        "",
        "A preset is a YAML file of settings; what it leaves out has the defaults of "
        "[`TrainConfig`](api/learn.md). [Training](../train.md#presets) says which is "
        "for what. `--preset my.yaml` takes one of yours.",
        "",
    ]
    for file in sorted((PACKAGE / "presets").glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        yaml.safe_load(text)  # a preset that does not parse is no documentation
        lines += [f"## {file.stem}", "", "```yaml", text.rstrip(), "```", ""]
    return "\n".join(lines)


def schemas() -> str:
    """List the fields of every JSON file with a schema."""
    lines = [
        "# File schemas",
        "",
        "Files that others may read or write. Made from the JSON Schemas, which the "
        "program itself checks against. Files without one are described where they are "
        "used: [`NAME.scan.json`](../files.md#scan-properties), "
        "[`manifest.csv`](../study.md), "
        "[a run's folder](../train.md#stop-pause-resume).",
        "",
    ]
    for name in SCHEMAS:
        schema = json.loads((DOCS / f"{name}-schema.json").read_text(encoding="utf-8"))
        lines += [
            f"## {schema.get('title', name)}",
            "",
            f"{schema.get('description', '')} [The schema](../{name}-schema.json).",
            "",
            "| field | type | what it holds |",
            "|---|---|---|",
            *_fields(schema, schema, ""),
            "",
        ]
    return "\n".join(lines)


def _fields(node: dict[str, Any], whole: dict[str, Any], above: str) -> list[str]:
    rows = []
    for name, field in node.get("properties", {}).items():
        stated = field.get("description", "")
        field = _resolved(field, whole)
        kinds = _kinds(field, whole)
        text = stated or field.get("description", "")
        must = "" if name in node.get("required", ()) else " (optional)"
        cells = (f"`{above}{name}`", kinds + must, text)
        rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
        for part, mark in (
            (field, "."),
            (_resolved(field.get("items", {}), whole), "[]."),
        ):
            if isinstance(part, dict) and above.count(".") < 2:
                rows += _fields(part, whole, f"{above}{name}{mark}")
    return rows


def _resolved(field: Any, whole: dict[str, Any]) -> Any:
    while isinstance(field, dict) and "$ref" in field:
        found: Any = whole
        for key in field["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        field = found
    return field


def _kinds(field: dict[str, Any], whole: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'], ensure_ascii=False)}`"
    if "enum" in field:
        return ", ".join(
            f"`{json.dumps(v, ensure_ascii=False)}`" for v in field["enum"]
        )
    for key in ("anyOf", "oneOf"):
        if key in field:
            kinds = (_kinds(_resolved(f, whole), whole) for f in field[key])
            return " or ".join(dict.fromkeys(kinds))
    kind = field.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else kind


# Notebooks.


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as a page, and its pictures."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    lines: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        words = cell.get("metadata", {}).get("alt", f"What {path.stem} drew")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}_{len(pictures)}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                lines += [f"![{words}]({name})", ""]
            elif output["output_type"] in ("stream", "execute_result", "display_data"):
                text = "".join(output.get("text", data.get("text/plain", "")))
                if text.strip():
                    lines += ["```text", text.rstrip(), "```", ""]
    link = f"{REPOSITORY}/docs/notebooks/{path.name}"
    lines += [f"[This notebook in the repository]({link})", ""]
    return "\n".join(lines), pictures
