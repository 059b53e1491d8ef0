"""The address and the token of a client, and its patience."""

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from .calls import Request
from .failures import NoToken

# With these failures nothing has been sent.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The settings of a client; `options_of` fills in the omitted ones."""

    url: str
    token: str = field(repr=False)
    account_id: str | None
    timeout_s: float
    patience_s: float
    ssl_context: ssl.SSLContext | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def is_local(self) -> bool:
        """True if the service runs on this machine, so that no proxy is asked."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def for_httpx(self) -> dict[str, Any]:
        """Return the arguments of httpx's clients."""
        return {
            "base_url": self.url,
            "headers": self.headers,
            "verify": True if self.ssl_context is None else self.ssl_context,
            "trust_env": not self.is_local,
        }

    def for_request(self, request: Request) -> dict[str, Any]:
        """Return the arguments of httpx's `request`."""
        return {
            "method": request.method,
            "url": request.path,
            "headers": request.headers,
            "content": request.content,
            "timeout": self.timeout_s + request.wait_s,
        }


def options_of(
    url: str | None,
    token: str | None,
    account_id: str | None,
    timeout_s: float,
    patience_s: float,
    ssl_context: ssl.SSLContext | None,
) -> Options:
    """Return options, with TRADEPOST_URL and TRADEPOST_TOKEN in place of an omitted address or token."""
    url = (url or os.environ.get("TRADEPOST_URL") or DEFAULT_URL).rstrip("/")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ValueError(f"{url!r} is not the address of a service, such as {DEFAULT_URL}")
    token = token or os.environ.get("TRADEPOST_TOKEN")
    if not token:
        raise NoToken("no token: give one, or set TRADEPOST_TOKEN")
    return Options(
        url=url,
        token=token,
        account_id=account_id,
        timeout_s=timeout_s,
        patience_s=patience_s,
        ssl_context=ssl_context,
    )
