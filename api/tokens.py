"""The lists of tokens."""

from typing import Any

from trading.accounts.tokens import IS_LIVE, TOKENS

from .http.pagination import Keyset, fetch_page, read_uuid

BY_ID = Keyset({"id": read_uuid})  # ids sort by the time of their creation
OF_ACCOUNT = "account_id = %s"
OF_NO_ACCOUNT = "(account_id IS NULL) = %s"


def token_page(where: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    """Return a page of tokens, the newest first; needs an open session."""
    live = {f"{IS_LIVE} = %s": None if query["ended"] else True}
    return fetch_page(TOKENS, where | live, BY_ID, limit=query["limit"], cursor=query["cursor"])
