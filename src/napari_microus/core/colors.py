"""One colour for each thing, in every window and picture.

Colours that stay apart for colour-blind eyes: M. Okabe, K. Ito, *Color Universal
Design*, 2008.
"""

ORANGE = "#e69f00"
SKY_BLUE = "#56b4e9"
GREEN = "#009e73"
YELLOW = "#f0e442"
BLUE = "#0072b2"
VERMILION = "#d55e00"
PURPLE = "#cc79a7"
GREY = "#999999"

EXPERT = SKY_BLUE
NONEXPERT = ORANGE
CAPSULE = YELLOW
HARD_REGION = PURPLE
IGNORED = GREY

#: What two or more annotators agree on, and a contour between two of them.
AGREED_COLOR, BETWEEN_COLOR = GREEN, BLUE
#: Of the third and later annotators.
MORE_COLORS = (YELLOW, VERMILION, "#882255", "#44aa99", "#999933")
#: Where a model differs from both annotators, and where it is sure of that.
ALONE, CONFIDENTLY_ALONE = YELLOW, VERMILION
#: What a model drew beyond the reference.
TOO_MUCH = VERMILION
FAILED = ORANGE
RULER = "#ffd700"
PREVIEW = "#ffffff"

#: Curves of a run in a dark window, and of the runs it is compared with.
TRAINING, VALIDATION, HUMAN = SKY_BLUE, ORANGE, GREEN
OTHER_RUNS = (PURPLE, VERMILION, BLUE, YELLOW, GREY)
#: The same curves on white.
TRAINING_ON_PAPER, VALIDATION_ON_PAPER, HUMAN_ON_PAPER = BLUE, VERMILION, GREEN

#: How far a frame's review has come, by `FrameState`'s names, in a dark window.
FRAME_STATES = {
    "APPROVED": "#2ca02c",
    "EDITED": SKY_BLUE,
    "DOUBTFUL": ORANGE,
    "EMPTY": "#3a3f47",
    "MODEL": "#8a8f98",
}
#: The same, dark enough on white.
FRAME_STATES_ON_PAPER = {
    "APPROVED": "#00725c",
    "EDITED": "#a0527c",
    "DOUBTFUL": VERMILION,
    "MODEL": BLUE,
}
INK_ON_PAPER = "#333333"
