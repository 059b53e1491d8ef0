"""Keep tokens out of gunicorn's log."""

import logging
import re

# Kite's clients send tokens in the address; gunicorn quotes an address that it cannot read or that it failed to serve.
# Every token of this service begins with tp_ (trading.accounts.tokens), and a misspelt one may be nearly right.
TOKENS = re.compile(r"((?:access|request|refresh|enc)_?token(?:=|%3D))[^&\s'\"]*|\btp_[A-Za-z0-9_-]+", re.IGNORECASE)
HEADER = re.compile(r"(authorization\W+\w+ +)[^\s'\"]+", re.IGNORECASE)


def redacted(text: str) -> str:
    """Return a text with … in the place of each token."""
    return HEADER.sub(r"\1…", TOKENS.sub(lambda match: f"{match[1] or 'tp_'}…", text))


def without_tokens(record: logging.LogRecord) -> bool:
    """Remove the tokens from a record; for use as a filter, which lets every record pass."""
    text = record.getMessage()
    if (shown := redacted(text)) != text:
        record.msg, record.args = shown, ()
    return True
