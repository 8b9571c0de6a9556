"""Stands in for ``napari-microus segment``: events, and masks of a square.

Arguments: mode, folder of scans, folder of results. Modes: "ends" segments the first
scan, skips none and fails at the second; "waits" works on the first until it is
cancelled; "refuses" cannot begin; "dies" is killed.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from napari_microus.core.events import (
    CANCEL_VARIABLE,
    Failed,
    Finished,
    Notice,
    ScanReport,
    to_json,
)
from napari_microus.core.io import read_volume, write_mask


def say(event):
    print(to_json(event), flush=True)


def main(mode, folder, output):
    folder, output = Path(folder), Path(output)
    if mode == "refuses":
        say(Failed("The folder of the results must be writable; got a full one."))
        print("napari-microus: something else", file=sys.stderr)
        sys.exit(2)
    say(ScanReport(1, 2, "a", "running"))
    say(ScanReport(1, 2, "a", "running", 1, 3))
    if mode == "dies":
        os.abort()
    flag = Path(os.environ[CANCEL_VARIABLE])
    while mode == "waits":
        time.sleep(0.05)
        if flag.exists():
            print("napari-microus: stopped", file=sys.stderr)
            sys.exit(130)
    scan = read_volume(folder / "a.nii.gz")
    mask = np.zeros(scan.shape, np.uint8)
    mask[1, 2:5, 3:6] = 1
    made = {"task": "segment", "model": "fake"}
    write_mask(scan.like(mask), output / "a_capsule.nii.gz", True, provenance=made)
    (output / "contact_sheet.html").write_text("page")
    say(Notice("a.nii.gz: something to know"))
    stated = {"frames_with_capsule": 1, "volume_ml": 12.34}
    say(ScanReport(1, 2, "a", "done", 3, 3, 1, **stated))
    say(ScanReport(2, 2, "deep/b", "failed", ended=2, message="A scan must be whole."))
    say(Finished({"done": 1, "skipped": 0, "failed": 1}))
    sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
