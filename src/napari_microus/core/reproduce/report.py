"""Write a comparison as CSV tables, figures, and a page in Markdown and HTML."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.config import TrainConfig, preset_names
from napari_microus.core.files import atomic_write
from napari_microus.core.provenance import package_version
from napari_microus.core.reproduce.cases import (
    beside_published,
    beside_table,
    own_table,
    published_rows,
    published_table,
    published_words,
)
from napari_microus.core.reproduce.deviations import deviations, start_words
from napari_microus.core.reproduce.figures import (
    draw_bland_altman,
    draw_contours,
    draw_samples,
)
from napari_microus.core.reproduce.page import (
    Heading,
    Picture,
    Points,
    Words,
    to_html,
    to_markdown,
)
from napari_microus.core.reproduce.planning import setting_text
from napari_microus.core.reproduce.plots import draw_losses, draw_scores
from napari_microus.core.reproduce.tables import (
    Table,
    case_rows,
    difference_table,
    fold_table,
    gland_table,
    loss_rows,
    loss_table,
    rate_table,
    score_table,
    seed_table,
    write_csv,
)
from napari_microus.core.statistics import FEW_PATIENTS, MANY_PATIENTS
from napari_microus.core.train.fingerprint import flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from napari_microus.core.reproduce.cases import BesidePublished
    from napari_microus.core.reproduce.comparison import Comparison
    from napari_microus.core.reproduce.page import Block

# Changes that decide nothing of what is measured.
_NOT_SHOWN = frozenset({"data.cache", "threads", "checkpoint_s", "tensorboard"})
_PLACES = frozenset({"start", "encoder_weights"})
_NEVER = object()  # equal to no setting


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Write the tables as CSV, the figures, ``report.md`` and ``report.html``.

    Files of an earlier call are replaced: they are made again from all runs.

    Returns
    -------
    Path
        The Markdown page. The HTML page beside it needs no other file.
    """
    beside = beside_published(comparison)
    for name, (head, rows) in _tables(comparison, beside).items():
        with atomic_write(folder / name, overwrite=True) as path:
            write_csv(path, head, rows)
    pictures = _draw_figures(comparison, folder)
    blocks = _blocks(comparison, beside, pictures)
    for name, text in (
        ("report.md", to_markdown(blocks)),
        ("report.html", to_html(blocks, folder)),
    ):
        with atomic_write(folder / name, overwrite=True) as path:
            path.write_text(text, encoding="utf-8")
    return folder / "report.md"


def _tables(comparison: Comparison, beside: list[BesidePublished]) -> dict[str, Table]:
    columns, losses = loss_rows(comparison)
    numbered = [[number, *row] for number, row in enumerate(losses, start=1)]
    tables: dict[str, Table] = {
        "table1.csv": (["epoch", *columns], numbered),
        "table2.csv": case_rows(comparison),
        "table2-published.csv": published_rows(),
    }
    if beside:
        head = ["case", "recipe", "dice", "published_dice", "dice_difference"]
        head += ["hd95_mm", "published_hd95_mm", "hd95_difference_mm"]
        rows: list[list[Any]] = [
            [
                one.case,
                one.recipe,
                one.dice,
                one.published.dice,
                one.dice_difference,
                one.hd95_mm,
                one.published.hd95_mm,
                one.hd95_difference_mm,
            ]
            for one in beside
        ]
        tables["table2-beside-published.csv"] = (head, rows)
    return tables


def _draw_figures(comparison: Comparison, folder: Path) -> dict[str, Picture]:
    """Write the figures that there is something for; return them by their name."""
    from matplotlib.figure import Figure

    recipes = comparison.names
    wanted: list[tuple[str, str, Figure, Callable[[Figure], None]]] = [
        (
            "losses",
            "Figure 3: training loss of each epoch, the published dotted.",
            Figure((10, 4.5), layout="constrained"),
            lambda figure: draw_losses(figure, comparison),
        ),
        (
            "scores",
            f"DSC and HD95 of all {comparison.split} cases.",
            Figure((10, 4.5)),
            lambda figure: draw_scores(figure, comparison),
        ),
        (
            "agreement",
            "Bland-Altman plots of the first recipe's figures less another's, by "
            "patient, and of the paper's own Table 2 by case.",
            Figure(layout="constrained"),
            lambda figure: draw_bland_altman(figure, comparison),
        ),
    ]
    if comparison.samples:
        caption = "Figure 2: frames of the study with both annotators' outlines."
        samples = partial(draw_samples, frames=comparison.samples)
        wanted.append(("samples", caption, Figure(layout="constrained"), samples))
    if comparison.shown:
        caption = (
            "Figures 4 to 6: the recipes' contours over the same frames, those on "
            "which the expert's outline is largest."
        )
        contours = partial(draw_contours, frames=comparison.shown, recipes=recipes)
        wanted.append(("contours", caption, Figure(layout="constrained"), contours))
    found = {}
    for name, caption, figure, draw_on in wanted:
        draw_on(figure)
        with atomic_write(folder / f"{name}.png", overwrite=True) as path:
            figure.savefig(path, dpi=110)
        found[name] = Picture(f"{name}.png", caption)
    return found


def _blocks(
    comparison: Comparison,
    beside: list[BesidePublished],
    pictures: dict[str, Picture],
) -> list[Block]:
    version = f"napari-microus {package_version()}."
    blocks: list[Block] = [
        Heading(f"Recipes side by side, {_starts(comparison)}", 1),
        Words(f"{version} Research use only, not for clinical use."),
        Words(_changed(comparison)),
        Heading("What differs from the papers"),
        Points(_deviations(comparison)),
    ]
    if "samples" in pictures:
        blocks += [Heading("Figure 2: samples"), pictures["samples"]]
    blocks += [
        Heading("Table 1: training loss of each epoch"),
        loss_table(comparison),
        pictures["losses"],
        Heading(f"Table 2: {comparison.split} cases"),
        Words(_CONVENTION),
        *score_table(comparison),
        Words(_GLANDS),
        gland_table(comparison),
        pictures["scores"],
    ]
    if comparison.folds:
        blocks += [Heading("Fold by fold"), Words(_FOLDS), fold_table(comparison)]
    if any(len(recipe.tried) > 1 for recipe in comparison.recipes):
        blocks += [
            Heading("Learning rates tried"),
            Words(_RATES),
            rate_table(comparison),
        ]
    if comparison.seeds > 1:
        blocks += [
            Heading("Spread over seeds"),
            Words(
                f"Each recipe was trained from {comparison.seeds} seeds. A patient's "
                "figure in the tables above and below is the mean over them, so that "
                "intervals and tests over patients know nothing of this spread. Where "
                "the differences of the seeds spread further than their mean, another "
                "seed may turn the order round."
            ),
            seed_table(comparison),
        ]
    blocks += [
        Heading("Paired differences by patient"),
        Words(_DIFFERENCES),
        difference_table(comparison),
        pictures["agreement"],
    ]
    if "contours" in pictures:
        blocks += [Heading("Figures 4 to 6: contours"), pictures["contours"]]
    blocks += [Heading("Case by case"), own_table(comparison)]
    if beside:
        blocks += [
            Heading("Case by case beside the published"),
            Words("The difference is ours less the published."),
            beside_table(beside),
        ]
    blocks += [
        Heading("The paper's own Table 2"),
        Words(published_words()),
        published_table(),
        Words(
            "Every case is in `table2.csv`; the runs with their settings in `runs/`."
        ),
    ]
    return blocks


_CONVENTION = (
    "DSC and HD95 by the papers' convention: the mean over the frames of a case in "
    "which neither mask is empty; then over the cases of a patient, then over "
    "patients, with Student's 95 % interval from five patients on. The volume's take a "
    "case at once, with distances across frames where their geometry is known."
)
_GLANDS = (
    "That convention does not see a gland that is not found at all, nor a contour "
    "where there is no gland; they are counted here, over all seeds."
)
_FOLDS = (
    "Each fold's patients, measured by the trainings that left them out: means over "
    "its patients, and over the seeds where there are several."
)
_RATES = (
    "DSC on the cases that the run holds out, lost glands as 0; each recipe had the "
    "same number of runs of the same length to choose from."
)
_DIFFERENCES = (
    "Mean over patients of the difference to the first recipe with Student's 95 % "
    "interval, in how many patients it is larger, the two-sided Wilcoxon signed-rank "
    "test, and the bias-corrected bootstrap over patients (10,000 draws), which covers "
    f"less than it says under {MANY_PATIENTS} patients and is given from there on; "
    f"neither interval nor test under {FEW_PATIENTS} patients."
)


def _starts(comparison: Comparison) -> str:
    """Return what training started from, for the first line."""
    starts: dict[str, list[str]] = {}
    for recipe in comparison.recipes:
        starts.setdefault(start_words(recipe), []).append(recipe.name)
    if len(starts) == 1:
        return next(iter(starts))
    return "; ".join(f"{', '.join(names)} {words}" for words, names in starts.items())


def _changed(comparison: Comparison) -> str:
    said = []
    changes = _differing(comparison)
    if changes:
        said.append(
            f"Changed in every recipe: {_as_set(changes)}. The published figures were "
            "reached without these changes and are not to be compared one to one."
        )
    else:
        said.append("The recipes ran with the settings that this package gives them.")
    for recipe in comparison.recipes:
        if recipe.varied:
            said.append(
                f"`{recipe.name}` is `{recipe.origin}` with "
                f"{_as_set(flat(recipe.varied))}."
            )
    if comparison.other_code:
        said.append(
            "**Runs of other code were taken, unchecked**: "
            f"{'; '.join(comparison.other_code)}."
        )
    return " ".join(said)


def _differing(comparison: Comparison) -> dict[str, Any]:
    """Return the changed settings by dotted name, without those that change nothing."""
    known = preset_names()
    presets = {recipe.origin for recipe in comparison.recipes}
    own = [flat(TrainConfig.preset(n).to_dict()) for n in presets if n in known]
    whole = len(own) == len(presets)
    found = {}
    for name, value in flat(comparison.changes).items():
        is_own = whole and all(one.get(name, _NEVER) == value for one in own)
        if name not in _NOT_SHOWN and not is_own:
            # The file, not where it lies.
            found[name] = Path(str(value)).name if name in _PLACES else value
    return found


def _as_set(settings: dict[str, Any]) -> str:
    """Return settings as `--set` takes them."""
    return ", ".join(
        f"`{name}={setting_text(value)}`" for name, value in settings.items()
    )


def _deviations(comparison: Comparison) -> list[str]:
    lines = []
    every = comparison.names
    for sentence, names in deviations(comparison):
        of_all = names == every and len(every) > 1
        who = "every recipe" if of_all else ", ".join(f"`{name}`" for name in names)
        lines.append(sentence + (f" ({who})" if names else ""))
    return lines
