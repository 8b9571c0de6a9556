"""Run folders: written by a training, followed by docks, Slicer and the CLI."""
