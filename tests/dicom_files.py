"""Small DICOM files for tests, made by pydicom."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

SERIES = generate_uid()
PATIENT = "P-1"
# What a whole header has beside; highdicom asks its sources for them.
FULL = {
    **dict.fromkeys(
        ("PatientBirthDate", "AccessionNumber", "StudyID", "StudyDate", "StudyTime"), ""
    ),
    "PatientSex": "M",
}


def region(rows, columns, *, layout=1, content=1, cm=(0.005, 0.004), units=3, flags=2):
    """An item of the sequence of regions; rows and columns are first and last."""
    item = Dataset()
    item.RegionSpatialFormat = layout
    item.RegionDataType = content
    item.RegionFlags = flags
    item.RegionLocationMinY0, item.RegionLocationMaxY1 = rows
    item.RegionLocationMinX0, item.RegionLocationMaxX1 = columns
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaY, item.PhysicalDeltaX = cm
    return item


def dataset(pixels: np.ndarray, *, regions=(), **elements) -> Dataset:
    """An ultrasound picture: (Y, X), (Y, X, 3), (Z, Y, X) or (Z, Y, X, 3)."""
    is_colour = pixels.shape[-1] == 3 and pixels.ndim > 2
    frames = pixels if pixels.ndim == 3 + is_colour else pixels[np.newaxis]
    several = len(frames) > 1
    ds = Dataset()
    ds.SOPClassUID = (
        UltrasoundMultiFrameImageStorage if several else UltrasoundImageStorage
    )
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = generate_uid()
    ds.SeriesInstanceUID = SERIES
    ds.PatientID = PATIENT
    ds.PatientName = "Doe^Jane"
    ds.Modality = "US"
    ds.Rows, ds.Columns = frames.shape[1:3]
    if several:
        ds.NumberOfFrames = len(frames)
    ds.SamplesPerPixel = 3 if is_colour else 1
    ds.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        ds.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    if regions:
        ds.SequenceOfUltrasoundRegions = list(regions)
    data = frames.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def save(ds: Dataset, path: Path) -> Path:
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


def series(
    folder: Path, *, shape=(6, 20, 30), step_mm=0.7, **elements
) -> list[Dataset]:
    """Single frames that lie behind each other in the patient, one file each.

    An element may be a list of as many as there are frames, in a tuple.
    """
    study, frame_of_reference, name = generate_uid(), generate_uid(), generate_uid()
    frames = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    folder.mkdir()
    made = []
    for k, frame in enumerate(frames):
        ds = dataset(frame, **FULL)
        ds.PixelSpacing, ds.SliceThickness = [0.3, 0.2], step_mm
        ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        ds.ImagePositionPatient = [1, 2 + k * step_mm, 3]
        ds.FrameOfReferenceUID, ds.StudyInstanceUID = frame_of_reference, study
        ds.SeriesInstanceUID, ds.InstanceNumber = name, k + 1
        for keyword, value in elements.items():
            setattr(ds, keyword, value[k] if isinstance(value, tuple) else value)
        made.append(ds)
        save(ds, folder / f"{k}.dcm")
    return made
