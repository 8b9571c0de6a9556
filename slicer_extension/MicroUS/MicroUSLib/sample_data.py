"""A phantom case with both annotations, in Slicer's module Sample Data."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "Resources" / "SampleData"
ICON = Path(__file__).parents[1] / "Resources" / "Icons" / "MicroUS.png"
NAMES = ("MicroUSPhantom", "MicroUSPhantomExpert", "MicroUSPhantomNonExpert")
FILES = ("scan.nii.gz", "expert.nii.gz", "nonexpert.nii.gz")
CHECKSUMS = (
    "SHA256:e621dd678c9e01230bdeee0ebc49e6d7344dbca4e38e4b87967149597dc9a3b7",
    "SHA256:0ce263b6b2a473afc0405102cef4749764f1fa59df8604a0a4fc765c0ae25ad1",
    "SHA256:2922b9bf81f28fb7e36ed936693b5bd9aed6217970af56586f32f4eeb73f3059",
)


def register() -> None:
    """Offer the case; it lies in the module's folder, so no network is needed."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MicroUS",
        sampleName="MicroUSPhantom",
        thumbnailFileName=str(ICON),
        uris=[(SAMPLES / name).as_uri() for name in FILES],
        checksums=list(CHECKSUMS),
        fileNames=[f"MicroUSPhantom-{name}" for name in FILES],
        nodeNames=list(NAMES),
        loadFileType=["VolumeFile", "SegmentationFile", "SegmentationFile"],
    )
