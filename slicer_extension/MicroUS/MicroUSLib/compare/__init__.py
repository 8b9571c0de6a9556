"""The part *Compare*: where two annotators differ, and whose outline holds."""
