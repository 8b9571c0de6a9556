from napari_microus.core.library import LoadedModel
from napari_microus.core.provenance import segmentation_provenance


def made(settings, config):
    model = LoadedModel(None, "small", "1", config, "", {})
    return segmentation_provenance(
        [model], image="scan", frames=None, device="cpu", settings=settings
    )["settings"]


def test_what_the_model_recommends_is_written_down():
    filled = {
        "opening": 21,
        "outline": "smooth",
        "min_confidence": 0.3,
        "along_sweep": True,
    }
    advice = {"predict": dict(filled)}
    assert made({"flip": True}, advice) == {"flip": True} | filled
    assert made({"opening": None}, advice)["opening"] == 21


def test_what_was_asked_for_wins():
    assert made({"opening": 5}, {"predict": {"opening": 21}})["opening"] == 5


def test_model_without_advice_cuts_nothing():
    assert made({}, {}) == {
        "opening": 0,
        "outline": "raw",
        "min_confidence": 0.0,
        "along_sweep": False,
    }
