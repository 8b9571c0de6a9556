"""The application that the modules beside it add their commands to."""

import typer

app = typer.Typer(
    name="napari-microus",
    help="Segment the prostate capsule in micro-ultrasound. Not for clinical use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
