"""No export holds what a scan's metadata or its path state about a person."""

import numpy as np

from napari_microus.core.events import drain
from napari_microus.core.export.contour_files import read_contours, write_contours
from napari_microus.core.export.film import write_film
from napari_microus.core.export.overlays import write_overlays
from napari_microus.core.export.surface_files import write_surface
from napari_microus.core.sweep_space import resample_sweep
from napari_microus.core.volume import Volume

WORDS = ("ZQNAME", "ZQPID", "20310729", "ZQNOTE")


def test_no_export_reveals_who_it_is(tmp_path):
    planted = {
        "source": "/clinic/ZQNAME/ZQPID_20310729.dcm",
        "notices": ["ZQNOTE"],
        "description": "ZQNAME",
        "frame_time_ms": 50.0,
    }
    array = np.zeros((4, 30, 40), np.uint8)
    array[1:3, 8:20, 10:30] = 1
    mask = Volume(array, np.diag([-0.5, -0.5, 2.0, 1.0]), True, planted)
    scan = Volume(array * 90, mask.affine, True, planted)
    for suffix in ("stl", "obj", "ply"):
        drain(write_surface(mask, tmp_path / f"capsule.{suffix}"))
    for suffix in ("json", "csv"):
        drain(write_contours(mask, tmp_path / f"contours.{suffix}"))
    drain(write_film(scan, mask, tmp_path / "film.gif"))
    drain(write_overlays(scan, mask, tmp_path / "overlays"))

    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 3 + 2 + 1 + 4
    for path in written:
        text = path.read_bytes().decode("latin1")
        for word in WORDS:
            assert word not in text, path.name
            assert word not in path.name
    for made in (
        read_contours(tmp_path / "contours.json"),
        drain(resample_sweep(scan)),
    ):
        stated = {k: v for k, v in made.metadata.items() if k != "source"}
        assert not any(word in str(stated) for word in WORDS)
