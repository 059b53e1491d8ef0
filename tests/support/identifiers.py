"""Identifiers for tests whose names must be the same in every process of a run."""

from uuid import UUID

NOT_THERE = UUID("8f14e45f-ceea-4672-9c3a-6b1f0d2a7e55")  # the id of no row, since every row's id is a new version 7
