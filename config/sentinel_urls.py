"""The form of REDIS_URL for Sentinels: `redis+sentinel://user:password@host:port,host:port/service/0?name=value`."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

SCHEMES = ("redis+sentinel", "rediss+sentinel")
DEFAULT_PORT = 26_379
# The Sentinels' own credentials; the user and the password before the hosts are those of the servers.
PARAMETERS = ("sentinel_username", "sentinel_password")
# A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
HOST = re.compile(r"(?P<host>[^:\[\]/@,]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
PATH = re.compile(r"/(?P<service>[A-Za-z0-9._-]{1,64})(?P<database>/[0-9]{0,9})?")


class SentinelUrl(NamedTuple):
    """The parts of such a URL; `server_url` has all but the Sentinels, and the first of them stands for the server."""

    places: tuple[tuple[str, int], ...]
    service: str
    username: str | None
    password: str | None
    server_url: str


def is_one(url: str) -> bool:
    """Return True if the URL names Sentinels."""
    return url.partition("://")[0] in SCHEMES


def split(url: str) -> SentinelUrl:
    """Return the parts of a URL of Sentinels. Raises ValueError with the reason."""
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    path = PATH.fullmatch(parts.path)
    if path is None:
        raise ValueError("must name the service after the hosts: /service or /service/0")
    given = [parameter.partition("=") for parameter in parts.query.split("&") if parameter]
    own = {name: unquote(value) for name, _, value in given if name in PARAMETERS}
    query = "&".join(f"{name}={value}" for name, _, value in given if name not in PARAMETERS)
    scheme, place = parts.scheme.removesuffix("+sentinel"), hosts.partition(",")[0]
    return SentinelUrl(
        tuple(_place(host) for host in hosts.split(",")),
        path["service"],
        own.get("sentinel_username"),
        own.get("sentinel_password"),
        urlunsplit((scheme, f"{credentials}{at}{place}", path["database"] or "", query, "")),
    )


def _place(text: str) -> tuple[str, int]:
    match = HOST.fullmatch(text)
    port = int((match and match["port"]) or DEFAULT_PORT)
    if match is None or not 1 <= port <= 65_535:
        raise ValueError("has a bad host or port; write / ? # @ in a password as %2F %3F %23 %40")
    return match["host"].strip("[]"), port
