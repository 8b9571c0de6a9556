import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.multichannel.naming import guess_channels, require_own

MRI = ("t2w", "adc", "hbv")
BRAIN = ("t1", "t1ce", "t2", "flair")


@pytest.mark.parametrize(
    ("names", "titles", "expected"),
    [
        (MRI, ["p1_hbv", "p1_T2W", "p1_adc"], {"t2w": 1, "adc": 2, "hbv": 0}),
        # A title that ends with the name goes before one that holds it.
        (("adc",), ["adc_registered", "p1_adc"], {"adc": 1}),
        (("adc",), ["p1_adc registered"], {"adc": 0}),
        # t1ce is no t1, and t2w no t2: the longest name takes the title.
        (BRAIN, ["b_t1ce", "b_t2"], {"t1ce": 0, "t2": 1}),
        (
            BRAIN,
            ["b_flair", "b_t2", "b_t1ce", "b_t1"],
            {"t1": 3, "t1ce": 2, "t2": 1, "flair": 0},
        ),
        # Of two examinations, the one to which the first channel belongs.
        (MRI, ["a_adc", "b_t2w", "b_adc", "b_hbv"], {"t2w": 1, "adc": 2, "hbv": 3}),
        (MRI, ["notes"], {}),
        (MRI, [], {}),
    ],
)
def test_titles_find_their_channels(names, titles, expected):
    assert guess_channels(names, titles) == expected


def test_what_was_chosen_stays_and_leads():
    titles = ["a_t2w", "b_t2w", "a_adc", "b_adc"]
    assert guess_channels(("t2w", "adc"), titles, {"t2w": 1}) == {"t2w": 1, "adc": 3}
    assert guess_channels(("t2w", "adc"), titles, {"adc": 0}) == {"t2w": 1, "adc": 0}


def test_each_channel_has_a_scan_of_its_own():
    one, other = object(), object()
    assert require_own({"t2w": one, "adc": other}, str) == {"t2w": one, "adc": other}
    with pytest.raises(InputError, match="got none for 'adc'") as caught:
        require_own({"t2w": one, "adc": None}, str)
    assert caught.value.plain.startswith("No image is chosen for adc.")
    with pytest.raises(InputError, match="got 'scan' for 't2w' and 'adc'"):
        require_own({"t2w": one, "adc": one}, lambda _: "scan")
