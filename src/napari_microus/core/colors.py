"""One colour for each thing, in every window and picture.

Colours that stay apart for colour-blind eyes: M. Okabe, K. Ito, *Color Universal
Design*, 2008.
"""

EXPERT = "#56b4e9"
NONEXPERT = "#e69f00"
CAPSULE = "#f0e442"
HARD_REGION = "#cc79a7"
IGNORED = "#999999"
