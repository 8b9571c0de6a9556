"""The command line: each command calls one function of `napari_microus.core`.

A command's module imports the core inside its function, so that ``--help``
answers at once.
"""

from __future__ import annotations

import sys

from napari_microus.cli.application import app
from napari_microus.core.errors import MicroUSError, plain_words

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; a user's mistake ends with one sentence and status 2."""
    import napari_microus.cli.commands  # noqa: F401  registers the commands

    try:
        app()
    except MicroUSError as error:
        # The core's sentence is for every door; here the way to do it has a name.
        sentence = plain_words(error).replace(
            "Choose another name, or overwrite it.", "Use --overwrite to replace it."
        )
        sentence = sentence.replace("or overwrite it.", "or add --overwrite.")
        print(f"napari-microus: {sentence}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if not error.filename or not error.strerror:
            raise  # a fault of the program, or of its terminal
        print(f"napari-microus: {plain_words(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("napari-microus: stopped; nothing partial was kept.", file=sys.stderr)
        sys.exit(130)
