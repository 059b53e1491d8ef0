"""Requests as the clients of Kite Connect make them."""

VERSION = {"X-Kite-Version": "3"}


def kite_headers(token: str, api_key: str = "any") -> dict[str, str]:
    """Return the headers of a client of Kite Connect."""
    return VERSION | {"Authorization": f"token {api_key}:{token}"}
