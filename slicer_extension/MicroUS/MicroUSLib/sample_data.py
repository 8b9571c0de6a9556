"""A phantom case and real frames, each with two masks, in Slicer's Sample Data.

The real frames are of the Micro-Ultrasound Prostate Segmentation Dataset (Jiang et al.
2024, Zenodo 10475293, CC-BY-4.0, patient 28); their outlines were drawn by eye by a
vision model, by no clinician.
"""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "Resources" / "SampleData"
ICON = Path(__file__).parents[1] / "Resources" / "Icons" / "MicroUS.png"
# Of each case: node name, file, SHA-256.
CASES = {
    "MicroUSPhantom": (
        (
            "MicroUSPhantom",
            "scan.nii.gz",
            "e621dd678c9e01230bdeee0ebc49e6d7344dbca4e38e4b87967149597dc9a3b7",
        ),
        (
            "MicroUSPhantomExpert",
            "expert.nii.gz",
            "0ce263b6b2a473afc0405102cef4749764f1fa59df8604a0a4fc765c0ae25ad1",
        ),
        (
            "MicroUSPhantomNonExpert",
            "nonexpert.nii.gz",
            "2922b9bf81f28fb7e36ed936693b5bd9aed6217970af56586f32f4eeb73f3059",
        ),
    ),
    "MicroUSRealFrames": (
        (
            "MicroUSRealFrames",
            "real_scan.nii.gz",
            "7cc05d6c69ecbcb58241e44a004ac762ff6db455dfc34c469ba99596ace586e3",
        ),
        (
            "MicroUSRealOutline1",
            "real_outline_1.nii.gz",
            "60907d6be83324bfb88d306d73bacd7e518da54c6af552cb026d74c80d73b29f",
        ),
        (
            "MicroUSRealOutline2",
            "real_outline_2.nii.gz",
            "49bcf91f6eb015a86643f24d894e4733b4e03390c156758bae39c78c234f14e2",
        ),
    ),
}


def register() -> None:
    """Offer the cases; they lie in the module's folder, so no network is needed."""
    import SampleData

    for case, parts in CASES.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="MicroUS",
            sampleName=case,
            thumbnailFileName=str(ICON),
            uris=[(SAMPLES / file).as_uri() for _, file, _ in parts],
            checksums=[f"SHA256:{digest}" for _, _, digest in parts],
            fileNames=[f"{case}-{file}" for _, file, _ in parts],
            nodeNames=[name for name, _, _ in parts],
            loadFileType=["VolumeFile", "SegmentationFile", "SegmentationFile"],
        )
