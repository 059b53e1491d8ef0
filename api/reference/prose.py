"""The Markdown of descriptions as HTML: paragraphs, lists and blocks of code; `code` and **bold** inside them."""

import re

from markupsafe import Markup

BLOCK = re.compile(r"\n*(?:```\n(?P<code>.*?)\n```|(?P<text>.+?)(?=\n\n|\n```|\Z))", re.DOTALL)
ITEM = re.compile(r"^(?:- |\d+\. )", re.MULTILINE)


def prose(text: str) -> Markup:
    """Return a description as HTML."""
    return Markup("").join(_block(found) for found in BLOCK.finditer(text.strip()))


def _block(found: re.Match[str]) -> Markup:
    if found["code"] is not None:
        return Markup("<pre>{}</pre>").format(found["code"].rstrip())
    text = found["text"].strip()
    if not ITEM.match(text):
        return Markup("<p>{}</p>").format(_inline(text))
    kind = "ul" if text.startswith("-") else "ol"
    items = Markup("").join(Markup("<li>{}</li>").format(_inline(item.strip())) for item in ITEM.split(text)[1:])
    return Markup("<{0}>{1}</{0}>").format(kind, items)


def _inline(text: str) -> Markup:
    parts = re.split(r"`([^`]+)`|\*\*([^*]+)\*\*", text)
    words = zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    marked = Markup("").join(
        Markup("{}<code>{}</code>").format(plain, code) if code else Markup("{}<b>{}</b>").format(plain, bold)
        for plain, code, bold in words
    )
    return marked + parts[-1]
