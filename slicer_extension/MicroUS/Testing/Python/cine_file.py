"""A cine as an ultrasound machine writes it, made by pydicom."""

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

US = "1.2.840.10008.5.1.4.1.1.3.1"  # Ultrasound Multi-frame Image Storage


def write_cine(path, pixels, cm=None, box=((0, 47), (0, 63)), **elements):
    """Write frames (Z, Y, X); ``cm`` calibrates the tissue in ``box``."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = US, pydicom.uid.generate_uid()
    ds.StudyInstanceUID = ds.SeriesInstanceUID = pydicom.uid.generate_uid()
    ds.Modality, ds.PatientID, ds.PatientName = "US", "1", "A^B"
    ds.NumberOfFrames, ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = pixels.tobytes()
    if cm is not None:
        region = Dataset()
        region.RegionSpatialFormat = region.RegionDataType = 1
        region.RegionFlags = 0
        (top, bottom), (left, right) = box
        region.RegionLocationMinY0, region.RegionLocationMaxY1 = top, bottom
        region.RegionLocationMinX0, region.RegionLocationMaxX1 = left, right
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
        region.PhysicalDeltaY = region.PhysicalDeltaX = cm
        ds.SequenceOfUltrasoundRegions = [region]
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path
