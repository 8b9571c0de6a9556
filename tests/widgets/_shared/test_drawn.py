import numpy as np
from napari.layers import Labels

from napari_microus._writer import write_labels
from napari_microus.core.io import read_provenance
from napari_microus.widgets._shared.drawn import (
    begin_notes,
    checksums,
    edited_frames,
    note_drawn,
)
from napari_microus.widgets._shared.layers import METADATA_KEY


def layer(**made):
    data = np.zeros((4, 6, 6), np.uint8)
    data[:, 2:4, 2:4] = 1
    own = {"provenance": {"task": "segment", **made}}
    return Labels(data, metadata={METADATA_KEY: own})


def saved(capsule, tmp_path):
    data, attributes, _ = capsule.as_layer_data_tuple()
    write_labels(str(tmp_path / "c.nii.gz"), data, attributes)
    return read_provenance(tmp_path / "c.nii.gz")


def paint(capsule, frame):
    index = (np.array([frame]), np.array([0]), np.array([0]))
    capsule.data_setitem(index, 1)


def test_frames_changed_by_hand_are_saved_as_such(tmp_path):
    capsule = layer()
    note_drawn(capsule, checksums(capsule.data))
    paint(capsule, 1)
    paint(capsule, 3)
    assert saved(capsule, tmp_path)["review"]["edited"] == [1, 3]
    capsule.undo()
    assert saved(capsule, tmp_path)["review"]["edited"] == [1]


def test_a_run_that_was_undone_is_not_reported(tmp_path):
    capsule = layer()
    note_drawn(capsule, checksums(capsule.data))
    paint(capsule, 2)  # as a run would
    drawn = {2: checksums(capsule.data)[2]}
    note_drawn(capsule, drawn)
    made = capsule.metadata[METADATA_KEY]["provenance"]
    made["mended"] = [{"frames": [2], "model": "m", "drawn": drawn}]
    assert saved(capsule, tmp_path)["mended"] == [{"frames": [2], "model": "m"}]
    assert saved(capsule, tmp_path)["review"]["edited"] == []
    capsule.undo()
    assert saved(capsule, tmp_path)["mended"] == []


def test_nothing_is_claimed_of_a_layer_that_nobody_followed(tmp_path):
    assert edited_frames(checksums(layer().data), layer().metadata) is None
    assert "review" not in saved(layer(), tmp_path)


def test_a_file_that_was_opened_keeps_its_edits():
    capsule = layer(review={"edited": [0]})
    begin_notes(capsule)
    assert edited_frames(checksums(capsule.data), capsule.metadata) == [0]
    paint(capsule, 2)
    assert edited_frames(checksums(capsule.data), capsule.metadata) == [0, 2]
