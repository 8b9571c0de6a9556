"""Table 2 case by case, and what the paper's own figures show."""

import csv
import dataclasses
import json
import math
from importlib.resources import files

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

from napari_microus.core.config import TrainConfig
from napari_microus.core.errors import InputError
from napari_microus.core.reproduce.cases import (
    beside_published,
    published_differences,
    published_table,
    published_words,
)
from napari_microus.core.reproduce.comparison import Comparison, Trained
from napari_microus.core.reproduce.figures import draw_bland_altman
from napari_microus.core.reproduce.page import (
    Grid,
    Heading,
    Picture,
    Points,
    Words,
    to_html,
    to_markdown,
)
from napari_microus.core.reproduce.planning import best_rate, recipes_of
from napari_microus.core.reproduce.report import write_report
from napari_microus.core.reproduce.scoring import CaseRow
from napari_microus.core.reproduce.shown import (
    ShownFrame,
    cases_to_show,
    frame_of,
    sample_frames,
)
from napari_microus.core.reproduce.tables import (
    difference_table,
    fold_table,
    gland_table,
    rate_table,
    score_table,
    seed_table,
)
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume


@pytest.fixture(scope="module")
def paper():
    text = (
        files("napari_microus.core.reproduce")
        .joinpath("papers.json")
        .read_text(encoding="utf-8")
    )
    return json.loads(text)["fatema_2025_adaptive_focal_loss_micro_us"]


def trained(name, tried=None, **changes):
    config = TrainConfig.preset(name, **changes)
    return Trained(name, config, [0.2, 0.1], (), False, False, tried or {})


def row(who, case, dice, hd95=2.0, **more):
    return CaseRow(who, case, case, dice, hd95, dice, hd95, "mm", **more)


def compared(recipes, rows, seeds=1, **more):
    return Comparison(recipes, rows, "test", {}, {}, [], seeds=seeds, **more)


def test_the_papers_own_table_shows_no_gain_over_ag_bce(paper):
    """By hand from the 20 rows: +0.0002 DSC, 9 of 20 cases, Wilcoxon p = 0.62."""
    rows = paper["table_2_test_cases"]
    gain = np.array([r["adaptive_focal"]["dice"] - r["ag_bce"]["dice"] for r in rows])
    found = {(name, what): one for name, what, one in published_differences()}
    dice = found["ag_bce", "DSC"]
    assert dice.mean == pytest.approx(gain.mean())
    assert round(dice.mean, 4) == 0.0002
    assert dice.better == (gain > 0).sum() == 9
    assert dice.p == pytest.approx(wilcoxon(gain).pvalue)
    assert round(dice.p, 2) == 0.62
    words = published_words()
    assert "+0.0002 (-0.0055 to +0.0060)" in words
    assert "higher in 9 of 20 cases (Wilcoxon p = 0.62)" in words
    assert "no gain" in words


def test_the_published_table_is_whole(paper):
    table = published_table()
    assert len(table.rows) == 21  # and the means
    assert table.rows[10][:4] == ["11", "0.9426", "0.9194", "0.9436"]
    mean = paper["text"]
    for column, name in enumerate(("adaptive_focal", "pytorch_focal", "ag_bce"), 1):
        assert float(table.rows[-1][column]) == pytest.approx(
            mean[name]["dice"], abs=5e-5
        )
        assert float(table.rows[-1][column + 3]) == pytest.approx(
            mean[name]["hd95_mm"], abs=5e-4
        )


def test_our_cases_stand_beside_the_published_of_the_same_number():
    rows = [row("paper", "test_11", 0.95, 2.0), row("paper", "train_11", 0.5)]
    rows += [row("best", "test_11", 0.99), row("paper", "test_07_1", 0.5)]
    (found,) = beside_published(compared([trained("paper"), trained("best")], rows))
    assert (found.case, found.recipe) == ("test_11", "paper")
    assert found.published.dice == 0.9426
    assert found.dice_difference == pytest.approx(0.95 - 0.9426)
    assert found.hd95_difference_mm == pytest.approx(2.0 - 2.1823)


def test_a_lost_gland_counts_where_the_papers_mean_does_not_see_it():
    rows = [
        row("paper", "a", 0.9, dice_lost_as_0=0.6, frames=5, glands=3, lost=1),
        row("paper", "b", 0.8, dice_lost_as_0=0.8, frames=4, glands=2),
        row("focal", "a", math.nan, math.nan, dice_lost_as_0=0.0, glands=3, lost=3),
        row("focal", "b", 0.8, dice_lost_as_0=0.8, frames=4, glands=2, lost=0),
    ]
    rows[1] = row(
        "paper", "b", 0.8, dice_lost_as_0=0.8, frames=4, glands=2, false_contours=2
    )
    found = compared([trained("paper"), trained("focal")], rows)
    cells = {line[0]: line[1:] for line in gland_table(found).rows}
    assert cells["paper"] == ["0.7000", "1 of 5 frames", "2 of 4 frames"]
    assert cells["focal"][:2] == ["0.4000", "3 of 5 frames"]


def test_seeds_are_one_patient_and_their_spread_is_reported():
    dices = [(0.90, 0.80), (0.92, 0.84), (0.97, 0.91)]  # of a and b, by seed
    rows = [
        row("paper", case, dice, seed=seed)
        for seed, pair in enumerate(dices)
        for case, dice in zip("ab", pair, strict=True)
    ]
    found = compared([trained("paper")], rows, seeds=3)
    scores = score_table(found)[0].rows[0]
    assert scores[1:4] == ["2", "2", f"{np.mean(dices):.4f}"]
    (line,) = [r for r in seed_table(found).rows if r[1] == "DSC"]
    assert line[2:] == ["0.8500", "0.8800", "0.9400", "0.0458"]
    # by hand: SD of 0.85, 0.88, 0.94 about 0.89 is sqrt((16 + 1 + 25) / 2) / 100
    assert math.sqrt((16 + 1 + 25) / 2) / 100 == pytest.approx(0.0458, abs=5e-5)


def test_the_difference_to_the_first_recipe_is_given_seed_by_seed():
    dices = {"paper": (0.80, 0.84), "focal": (0.83, 0.83)}
    rows = [
        row(who, case, dice, seed=seed)
        for who, by_seed in dices.items()
        for seed, dice in enumerate(by_seed)
        for case in "ab"
    ]
    found = compared([trained("paper"), trained("focal")], rows, seeds=2)
    table = {tuple(line[:2]): line[2:] for line in seed_table(found).rows}
    # by hand: 0.03 and -0.01 about 0.01, SD sqrt(2 x 0.02^2)
    assert table["focal less paper", "DSC"] == ["+0.0300", "-0.0100", "0.0283"]
    assert table["focal less paper", "HD95 mm"] == ["+0.00", "+0.00", "0.00"]
    assert ("paper less paper", "DSC") not in table


def test_each_fold_has_a_line_of_means_over_its_patients():
    """Patient a has two cases and weighs once: (0.7 + 0.9) / 2."""
    rows = [row("paper", "a1", 0.6), row("paper", "a2", 0.8), row("paper", "b", 0.9)]
    rows = [dataclasses.replace(one, patient=one.case[0]) for one in rows]
    rows.append(row("paper", "c", 0.5, 4.0))
    folds = {"a1": 0, "a2": 0, "b": 0, "c": 3, "ignored": 4}
    table = fold_table(compared([trained("paper")], rows, folds=folds))
    assert table.head == ["fold", "patients", "paper DSC", "paper HD95 mm"]
    assert table.rows == [["0", "2", "0.800", "2.00"], ["3", "1", "0.500", "4.00"]]


def test_a_preset_stands_beside_its_variations_by_names_of_their_own():
    kernels = [
        {"loss": {"kernel_sizes": size}} for size in ([1, 1, 1, 1], [8, 6, 4, 2])
    ]
    recipes = recipes_of(["paper", "my/own.yaml"], kernels)
    assert [recipe.name for recipe in recipes] == [
        "paper",
        "paper-kernel_sizes-1-1-1-1",
        "paper-kernel_sizes-8-6-4-2",
        "own",
        "own-kernel_sizes-1-1-1-1",
        "own-kernel_sizes-8-6-4-2",
    ]
    assert {recipe.origin for recipe in recipes} == {"paper", "own"}
    with pytest.raises(InputError, match="compared once; got 'paper' twice"):
        recipes_of(["paper", "paper"], [])


def test_a_variation_is_of_its_preset_but_beside_no_published_column(tmp_path):
    varied = {"loss": {"kernel_sizes": [8, 6, 4, 2]}}
    config = TrainConfig.preset("paper").with_changes(varied)
    other = Trained(
        "paper-kernel_sizes-8-6-4-2",
        config,
        [0.2, 0.1],
        (),
        False,
        False,
        preset="paper",
        varied=varied,
    )
    rows = [row(one, "test_11", 0.9) for one in ("paper", other.name)]
    found = compared([trained("paper"), other], rows)
    assert [one.recipe for one in beside_published(found)] == ["paper"]
    page = write_report(found, tmp_path).read_text(encoding="utf-8")
    assert (
        "widened by squares of 8, 6, 4, 2 pixels at the four scales, the paper's by "
        "4, 3, 2, 1. (`paper-kernel_sizes-8-6-4-2`)"
    ) in page
    assert (
        "`paper-kernel_sizes-8-6-4-2` is `paper` with `loss.kernel_sizes=[8, 6, 4, 2]`."
        in page
    )
    assert "Not a recipe of the papers" not in page


def test_the_bootstrap_waits_for_twenty_patients():
    def table(patients):
        rng = np.random.default_rng(1)
        rows = [
            row(who, f"p{n}", dice)
            for who in ("paper", "focal")
            for n, dice in enumerate(rng.normal(0.9, 0.02, patients))
        ]
        return difference_table(compared([trained("paper"), trained("focal")], rows))

    assert table(19).rows[0][-1] == "–"
    low, high = map(float, table(20).rows[0][-1].split(" to "))
    mean = float(table(20).rows[0][4].split()[0])
    assert low < mean < high


def test_the_rate_of_the_highest_dsc_is_taken_the_smallest_of_several():
    assert best_rate({0.01: 0.5, 0.1: 0.8, 0.03: 0.8}) == 0.03
    one = trained("paper", {0.01: 0.5, 0.03: 0.8}, optimizer={"learning_rate": 0.03})
    table = rate_table(compared([one], [row("paper", "a", 0.9)]))
    assert table.head == ["recipe", "0.01", "0.03", "taken"]
    assert table.rows == [["paper", "0.5000", "0.8000", "0.03"]]


def test_the_frames_of_the_papers_figures_are_shown_where_they_are():
    public = [f"test_{n:02}" for n in range(1, 21)]
    named = ["test_04", "test_11", "test_14", "test_17", "test_18", "test_19"]
    assert cases_to_show(public) == named
    assert cases_to_show(["a", "b"]) == ["a", "b"]
    assert len(cases_to_show([f"p{n}" for n in range(37)])) == 6


def test_a_sample_shows_where_the_two_outlines_differ(tmp_path):
    """Frame 0 has the largest outline, frame 2 the largest that differs."""
    expert = np.zeros((4, 20, 20), np.uint8)
    for frame, height in enumerate((12, 4, 8, 6)):
        expert[frame, :height, :10] = 1
    other = expert.copy()
    other[1:3, 0] = 0
    scan = Volume.from_spacing(np.ones((4, 20, 20), np.uint8), (1.0, 0.1, 0.1))
    study = Study.create(tmp_path / "study")
    study.add_case("a", "p1", scan, scan.like(expert), scan.like(other))
    study.add_case("b", "p2", scan, scan.like(expert), scan.like(expert))
    study.add_case("c", "p3", scan, scan.like(expert))
    assert [frame.frame for frame in sample_frames(study)] == [2, 0, 0]
    assert frame_of(study, study.cases[0]).frame == 0


def test_the_page_is_written_with_every_figure_and_needs_no_other_file(tmp_path):
    y, x = np.mgrid[:40, :60]
    disc = (y - 20) ** 2 + (x - 30) ** 2 < 150
    frame = ShownFrame("test_04", 3, disc * 100, disc, 1.0, {"non-expert": disc})
    seen = ShownFrame("test_04", 3, disc * 100, disc, 1.0, {"paper": np.roll(disc, 3)})
    rows = [
        row(who, f"test_{n:02}", 0.9 + n / 400)
        for n in range(1, 21)
        for who in ("paper", "focal")
    ]
    found = compared(
        [trained("paper"), trained("focal")], rows, samples=[frame], shown=[seen]
    )
    report = write_report(found, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 5
    assert 'src="data:image/png;base64,' in page
    assert "href=" not in page
    for name in ("samples", "losses", "contours", "agreement", "scores"):
        assert (tmp_path / f"{name}.png").stat().st_size > 3000
        assert f"({name}.png)" in report.read_text(encoding="utf-8")
    with (tmp_path / "table2-beside-published.csv").open(newline="") as file:
        beside = list(csv.DictReader(file))
    assert len(beside) == 40
    published = (
        (tmp_path / "table2-published.csv").read_text(encoding="utf-8").splitlines()
    )
    assert len(published) == 21
    assert published[1] == "1.0,0.9569,0.9317,0.9525,1.9925,3.0807,2.6741"


def test_the_page_names_the_changed_settings_alone(tmp_path):
    """As `--set` takes them; what the recipe has already, and places, are left out."""
    light = TrainConfig.from_dict({"model": "light"}).model.to_dict()
    light["transunet"]["image_size"] = 80
    changes = {
        "model": light,
        "epochs": 10,
        "batch_size": 4,
        "threads": 1,
        "encoder_weights": "/home/me/lite0.pth",
        "data": {"cache": "/home/me/cache", "samples_per_epoch": 64},
    }
    rows = [row("paper", "a", 0.9)]
    recipe = trained("paper", **changes)
    found = Comparison([recipe], rows, "test", changes, {}, [])
    page = write_report(found, tmp_path).read_text(encoding="utf-8")
    (line,) = [one for one in page.splitlines() if one.startswith("Changed in every")]
    for said in (
        "`model.transunet.encoder=efficientnet_lite0`",
        "`model.transunet.image_size=80`",
        "`batch_size=4`",
        "`encoder_weights=lite0.pth`",
        "`data.samples_per_epoch=64`",
    ):
        assert said in line
    for left_out in ("epochs", "threads", "cache", "/home/me", "baseline", "{"):
        assert left_out not in line.replace("samples_per_epoch", "")


def test_ours_and_the_published_stand_side_by_side():
    table = score_table(compared([trained("paper")], [row("paper", "a", 0.9)]))[0]
    line = dict(zip(table.head, table.rows[0], strict=True))
    assert (line["DSC"], line["published"]) == ("0.9000", "0.940")
    assert (line["HD95 mm"], line["published HD95 mm"]) == ("2.00", "1.95")
    assert table.head.index("published") == table.head.index("DSC") + 1


def test_agreement_has_a_row_for_each_pair_and_says_where_none_is():
    nothing = row("focal", "a", math.nan, math.nan)
    rows = [row("paper", "a", 0.9), row("best", "a", 0.8, 3.0), nothing]
    found = compared([trained("paper"), trained("best"), trained("focal")], rows)
    figure = Figure()
    draw_bland_altman(figure, found)
    titles = [axes.get_title().splitlines() for axes in figure.axes]
    assert [title[0] for title in titles[:4]] == [
        *["paper – best"] * 2,
        *["paper – focal"] * 2,
    ]
    assert [axes.get_xlabel() for axes in figure.axes[:2]] == [
        "mean of both, DSC",
        "mean of both, HD95 mm",
    ]
    assert titles[0][1] == "bias +0.1000"  # one patient: no limits
    assert titles[4][1].startswith("bias +0.0002, limits ")
    assert "share no patient" in figure.axes[2].texts[0].get_text()


def test_a_page_is_the_same_in_markdown_and_html(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    blocks = [
        Heading("A < B", 1),
        Words("**Not** `x < y`."),
        Points(["one", "two"]),
        Grid(["a", "b"], [["1", "<2>"]]),
        Picture("a.png", "shows a"),
    ]
    assert to_markdown(blocks) == (
        "# A < B\n\n**Not** `x < y`.\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n"
        "| 1 | <2> |\n\n![shows a](a.png)\n"
    )
    page = to_html(blocks, tmp_path)
    assert "<title>A &lt; B</title>" in page
    assert "<p><strong>Not</strong> <code>x &lt; y</code>.</p>" in page
    assert "<td>&lt;2&gt;</td>" in page
    assert 'alt="shows a" src="data:image/png;base64,iVBORw=="' in page
