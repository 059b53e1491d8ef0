"""The introduction and the sections of the reference, in Markdown: the description of the OpenAPI document.

The page shows `INTRODUCTION` and each of `SECTIONS`; in the document each section has a heading of the second level.
"""

from pathlib import Path
from typing import NamedTuple

TEXTS = Path(__file__).parent / "texts"


class Section(NamedTuple):
    """A section: the fragment of its address, its title and its Markdown, which has no headings."""

    name: str
    title: str
    text: str


def _read(name: str) -> str:
    return (TEXTS / f"{name}.md").read_text()


INTRODUCTION = _read("introduction")
SECTIONS = [
    Section(name, title, _read(name))
    for name, title in (
        ("authenticate", "Authenticate"),
        ("orders", "How orders work"),
        ("margin-and-charges", "Margin and charges"),
        ("retries", "Retries and idempotency"),
        ("errors", "Errors"),
        ("events", "Events"),
    )
]


def description() -> str:
    """Return the introduction and all sections as one Markdown text."""
    return "\n".join([INTRODUCTION, *(f"## {section.title}\n\n{section.text}" for section in SECTIONS)])
