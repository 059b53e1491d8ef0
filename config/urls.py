"""The checks of DATABASE_URL and REDIS_URL; no message repeats a URL, since it may hold a password."""

import ipaddress
import os
import re
from urllib.parse import unquote, urlsplit

from . import sentinel_urls
from .errors import ConfigurationError

DATABASE_URL, REDIS_URL = "DATABASE_URL", "REDIS_URL"
SCHEMES = {DATABASE_URL: ("postgres", "postgresql"), REDIS_URL: ("redis", "rediss", *sentinel_urls.SCHEMES)}
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
MAX_PORT = 65_535
BAD_HOST = "has a bad host or port; write / ? # @ in a password as %2F %3F %23 %40"
# libpq reads these parameters and files only when it connects.
DATABASE_NUMBERS = (
    *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
    "tcp_user_timeout",
)
DATABASE_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir")
# The form of PostgreSQL's own settings, and the options that the proxies of Neon and CockroachDB read.
DATABASE_OPTION = re.compile(r"(-c|--)[A-Za-z_][\w.$-]*=.*|(endpoint|project)=.*", re.ASCII | re.DOTALL)

SECONDS, TRUTH, WORD = r"[0-9]{1,5}(\.[0-9]{1,3})?", r"(?i:1|0|true|false|yes|no)", r"[\x21-\x7e]+"
# The parameters of redis-py that do not change the form of its answers.
REDIS_PARAMETERS = {
    "db": r"[0-9]{1,9}",
    "username": WORD,
    "password": WORD,
    "client_name": WORD,
    "socket_timeout": SECONDS,
    "socket_connect_timeout": SECONDS,
    "socket_keepalive": TRUTH,
    "health_check_interval": r"[0-9]{1,5}",
    "max_connections": r"[1-9][0-9]{0,5}",
    "ssl_cert_reqs": r"none|optional|required",
    "ssl_check_hostname": TRUTH,
    "ssl_ca_certs": WORD,
    "ssl_ca_path": WORD,
    "ssl_certfile": WORD,
    "ssl_keyfile": WORD,
    "ssl_password": WORD,
}
REDIS_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")


def check(name: str, url: str) -> None:
    """Raise ConfigurationError if the URL of this variable cannot work."""
    schemes = SCHEMES[name]
    if not re.fullmatch(rf"({'|'.join(map(re.escape, schemes))})://[\x21-\x7e]+", url):
        raise ConfigurationError(f"{name} must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
    try:
        urlsplit(url)
    except ValueError:  # an unbalanced bracket
        raise ConfigurationError(f"{name} {BAD_HOST}") from None
    if name == DATABASE_URL:
        _check_database(url)
    else:
        _check_redis(url)


def parameters(name: str, url: str) -> list[tuple[str, str]]:
    """Return the parameters of a URL, whose names are safe to repeat in messages."""
    query = urlsplit(url).query
    if "@" in query:  # a password with a bare question mark
        raise ConfigurationError(f"{name} has an @ after a ?: write ? as %3F and @ as %40 in a user name or password")
    found = []
    for part in query.split("&") if query else ():
        if part.count("=") != 1:
            raise ConfigurationError(f"{name} has a parameter that is not name=value: write = in a value as %3D")
        parameter, value = part.split("=")
        if not re.fullmatch(r"[A-Za-z_]\w{0,40}", parameter, re.ASCII):
            raise ConfigurationError(f"{name} has a parameter with a bad name")
        found.append((parameter, unquote(value)))
    return found


def _check_database(url: str) -> None:
    for host in urlsplit(url).netloc.rpartition("@")[2].split(","):  # libpq accepts a list of hosts
        match = re.fullmatch(r"(?:[^:\[\]]*|\[[0-9A-Fa-f:.%]+\])(?::([0-9]{1,5}))?", host)
        if match is None or not _is_port(match[1]):
            raise ConfigurationError(f"{DATABASE_URL} {BAD_HOST}")
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", url):
        raise ConfigurationError(f"{DATABASE_URL} has a bad percent-encoding: write % itself as %25")
    for parameter, value in parameters(DATABASE_URL, url):
        _check_database_parameter(parameter, value)


def _check_database_parameter(parameter: str, value: str) -> None:
    if parameter == "sslmode" and value not in SSL_MODES:
        raise ConfigurationError(f"{DATABASE_URL} has a bad sslmode {value!r}: use {', '.join(SSL_MODES)}")
    if parameter == "port" and not all(_is_port(port) for port in value.split(",")):
        raise ConfigurationError(f"{DATABASE_URL} has a bad port")
    if parameter == "hostaddr" and not all(_is_address(address) for address in value.split(",")):
        raise ConfigurationError(f"{DATABASE_URL} has a bad hostaddr: use host for a name")
    if parameter in DATABASE_NUMBERS and not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise ConfigurationError(f"{DATABASE_URL} has a bad {parameter}: it must be a whole number")
    if parameter in DATABASE_FILES and (parameter, value) != ("sslrootcert", "system"):
        _require_file(DATABASE_URL, parameter, value)
    if parameter == "options":
        _check_options(value)


def _check_options(value: str) -> None:
    """Refuse options that no server accepts; blanks separate them, and one may follow -c."""
    for option in re.sub(r"(^|\s)-c\s+", r"\1-c", value).split():
        if not DATABASE_OPTION.fullmatch(option):
            problem = "has bad options: write each as -cname%3Dvalue, with %20 between two"
            raise ConfigurationError(f"{DATABASE_URL} {problem}")


def _check_redis(url: str) -> None:
    if sentinel_urls.is_one(url):
        url = _server_url(url)
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{REDIS_URL} {BAD_HOST}")
    if not re.fullmatch(r"/?[0-9]{0,9}", parts.path):
        raise ConfigurationError(f"{REDIS_URL} must end in a database number or nothing")
    for parameter, value in parameters(REDIS_URL, url):
        _check_redis_parameter(parameter, value)
        if parameter.startswith("ssl_") and parts.scheme != "rediss":
            raise ConfigurationError(
                f"{REDIS_URL} has the parameter {parameter}, which needs rediss:// or rediss+sentinel://"
            )
        if parameter == "db" and parts.path not in ("", "/", f"/{value}"):
            raise ConfigurationError(f"{REDIS_URL} names two database numbers")


def _server_url(url: str) -> str:
    """Return the servers' part of a URL of Sentinels, after a check of the Sentinels' own part."""
    for parameter, value in parameters(REDIS_URL, url):
        if parameter in sentinel_urls.PARAMETERS and not re.fullmatch(WORD, value):
            raise ConfigurationError(f"{REDIS_URL} has a bad {parameter}")
    try:
        return sentinel_urls.split(url).server_url
    except ValueError as error:
        raise ConfigurationError(f"{REDIS_URL} {error}") from None


def _check_redis_parameter(parameter: str, value: str) -> None:
    pattern = REDIS_PARAMETERS.get(parameter)
    if pattern is None:
        problem = f"has the parameter {parameter}, which is not supported: use {', '.join(REDIS_PARAMETERS)}"
        raise ConfigurationError(f"{REDIS_URL} {problem}")
    if not re.fullmatch(pattern, value):
        choices = ": use none, optional or required" if parameter == "ssl_cert_reqs" else ""
        raise ConfigurationError(f"{REDIS_URL} has a bad {parameter}{choices}")
    if parameter in REDIS_FILES:
        _require_file(REDIS_URL, parameter, value)


def _require_file(name: str, parameter: str, path: str) -> None:
    if not os.access(path, os.R_OK):
        raise ConfigurationError(f"{name} names a file for {parameter} that is missing or cannot be read")


def _is_port(text: str | None) -> bool:
    return not text or (re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= MAX_PORT)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return not text
    return True
