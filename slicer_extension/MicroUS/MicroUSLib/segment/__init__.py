"""The part *Segment*: a volume goes in, a capsule comes out."""
