"""The part *Train*: a study goes in, a model comes out."""
