"""Keep the catalogues of `src/napari_microus/locale` in step with the code.

``python .ci/catalogue.py`` adds what is marked with ``tr`` and is missing, and writes
the ``.mo`` files that gettext reads; with ``--check`` it only says what it would do.
"""

from __future__ import annotations

import ast
import struct
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "napari_microus"
LOCALE = SOURCE / "locale"


def marked() -> list[str]:
    """Return every text that the code hands to ``tr``, in the order of the files."""
    found: dict[str, None] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id == "tr" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found[first.value] = None
    return list(found)


def read_po(path: Path) -> dict[str, str]:
    """Return the texts of a catalogue and their translations."""
    texts: dict[str, str] = {}
    key, value, into = "", "", ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        word, _, rest = line.partition(" ")
        if word == "msgid":
            key, value, into = ast.literal_eval(rest), "", "id"
        elif word == "msgstr":
            value, into = ast.literal_eval(rest), "str"
        elif line.startswith('"'):
            if into == "id":
                key += ast.literal_eval(line)
            else:
                value += ast.literal_eval(line)
        elif not line and into:
            texts[key] = value
            into = ""
    return texts


def write_po(path: Path, texts: dict[str, str]) -> None:
    """Write a catalogue."""
    lines = []
    for key, value in texts.items():
        lines += [f"msgid {_quoted(key)}", f"msgstr {_quoted(value)}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def compiled(texts: dict[str, str]) -> bytes:
    """Return a catalogue as gettext reads it; what has no translation is out."""
    pairs = sorted((k, v) for k, v in texts.items() if v)
    keys = [k.encode() for k, _ in pairs]
    values = [v.encode() for _, v in pairs]
    count = len(pairs)
    start = 28 + 16 * count
    tables, body = [], b""
    for words in (keys, values):
        for word in words:
            tables.append(struct.pack("<II", len(word), start + len(body)))
            body += word + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 28)
    return head + b"".join(tables) + body


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def main() -> int:
    """Bring every catalogue up to date, or report with ``--check`` that one is not."""
    is_check = "--check" in sys.argv
    stale = []
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        known = read_po(path)
        texts = {"": known.get("", "Content-Type: text/plain; charset=UTF-8\n")}
        texts |= {text: known.get(text, "") for text in marked()}
        binary = path.with_suffix(".mo")
        is_new = binary.exists() and binary.read_bytes() == compiled(texts)
        if texts != known or not is_new:
            stale.append(path)
        if not is_check:
            write_po(path, texts)
            binary.write_bytes(compiled(texts))
        for text in (t for t, translated in texts.items() if not translated):
            print(f"{path.parts[-3]}: no translation of {text!r}")
    return int(is_check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
