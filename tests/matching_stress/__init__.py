"""The stress of the matching protocol: every quote is kept, and afterwards each order's match is reckoned again.

`python -m tests.matching_stress --seconds 60 --seed 7` runs it against the schema in plain SQL, so that the protocol of
docs/decisions/matching.md is proved apart from the product. `--mutation NAME` breaks the protocol on purpose.
"""
