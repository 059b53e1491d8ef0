"""The settings of a process: read from the environment once, and checked."""

import functools
import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

from . import origins, urls
from .errors import ConfigurationError as ConfigurationError

REDIS_NAMESPACE = "tradepost"
SAVED = "env"  # the file in DATA_DIR with the addresses of `make run` and the number of its buckets
DEFAULT_PORT, DEFAULT_DATA_DIR = 8000, ".data"
MAX_SHARDS = 64
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PERIOD_S = {"second": 1, "minute": 60, "hour": 3600}
MIN_SECRET_LENGTH = 16
OBVIOUS_SECRET = re.compile(r"(.)\1*|.*(change[-_ ]?me|secret|password|default|example|12345678).*", re.IGNORECASE)


@dataclass(frozen=True)
class RateLimit:
    """At most `count` requests in each period of `period_s`."""

    count: int
    period_s: int


@dataclass(frozen=True)
class Settings:
    """Every setting of a process, already checked."""

    database_url: str | None
    redis_url: str | None
    redis_namespace: str
    cron_secret: str | None
    order_worker_interval_ms: int
    order_worker_batch_limit: int
    order_dispatch: str
    log_level: str
    log_format: str
    log_time: bool
    web_concurrency: int
    database_pool_size: int
    shards: int
    worker_processes: int
    worker_threads: int
    market_calendar: str | None
    fill_model: str
    limit_fills: str
    unknown_symbols: str
    max_quote_age_s: int
    record_candles: bool
    candles_kept_days: int
    allow_t1_sales: bool
    square_off_time: time | None
    square_off_fee: Decimal
    rate_limit_orders: RateLimit | None
    kite_strict_rate_limits: bool
    kite_strict_market_protection: bool
    allowed_origins: tuple[str, ...]
    trusted_proxies: tuple[origins.Network, ...]
    keep_alive_s: int
    metrics_token: str | None
    metrics_port: int | None
    metrics_dir: Path
    tracing: bool
    stream_compression: bool
    environment: str
    data_dir: Path
    port: int
    listen_on: str
    simulator: bool

    @property
    def database_connections(self) -> int:
        """Return the number of connections to the database that a web process may open."""
        pools = 1 if self.shards == 1 else self.shards + 1
        return self.database_pool_size * pools

    @property
    def is_production(self) -> bool:
        """Return True if the strict rules of production apply."""
        return self.environment == "production"


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings of an environment, or raise ConfigurationError."""
    data_dir = Path(_text(environ, "DATA_DIR") or DEFAULT_DATA_DIR).expanduser()
    environment = _choice(environ, "TRADEPOST_ENV", ("development", "test", "production"), "development")
    # In production no URL may come from a file of `make run`.
    saved = {} if environment == "production" else read_saved_environment(data_dir)
    shards = _shards(environ, saved)
    settings = Settings(
        database_url=_url(environ, saved, urls.DATABASE_URL),
        redis_url=_url(environ, saved, urls.REDIS_URL),
        redis_namespace=_namespace(environ, "REDIS_NAMESPACE"),
        cron_secret=_secret(environ, "CRON_SECRET"),
        order_worker_interval_ms=_integer(environ, "ORDER_WORKER_INTERVAL_MS", 750, 50, 60_000),
        order_worker_batch_limit=_integer(environ, "ORDER_WORKER_BATCH_LIMIT", 50, 1, 500),
        order_dispatch=_choice(environ, "ORDER_DISPATCH", ("queue", "inline", "none"), "queue"),
        log_level=_choice(environ, "LOG_LEVEL", LOG_LEVELS, "INFO"),
        log_format=_choice(environ, "LOG_FORMAT", ("text", "json"), "text"),
        log_time=_choice(environ, "LOG_TIME", ("on", "off"), "on") == "on",
        web_concurrency=_integer(environ, "WEB_CONCURRENCY", 2, 1, 64),
        database_pool_size=_integer(environ, "DATABASE_POOL_SIZE", max(16 // shards, 4), 1, 100),
        shards=shards,
        worker_processes=_integer(environ, "WORKER_PROCESSES", 1, 1, 64),
        worker_threads=_integer(environ, "WORKER_THREADS", 4, 1, 64),
        market_calendar=_optional_choice(environ, "MARKET_CALENDAR", ("NSE",)),
        fill_model=_choice(environ, "FILL_MODEL", ("IMMEDIATE", "QUOTES"), "IMMEDIATE"),
        limit_fills=_choice(environ, "LIMIT_FILLS", ("book", "touch", "through"), "book"),
        unknown_symbols=_choice(environ, "UNKNOWN_SYMBOLS", ("create", "refuse"), "create"),
        max_quote_age_s=_integer(environ, "MAX_QUOTE_AGE_S", 60, 0, 86_400),
        record_candles=_choice(environ, "RECORD_CANDLES", ("off", "on"), "off") == "on",
        candles_kept_days=_integer(environ, "CANDLES_KEPT_DAYS", 60, 1, 3_660),
        allow_t1_sales=_choice(environ, "ALLOW_T1_SALES", ("on", "off"), "on") == "on",
        square_off_time=_time(environ, "SQUARE_OFF_TIME"),
        square_off_fee=_rupees(environ, "SQUARE_OFF_FEE", "0.00", 10_000),
        rate_limit_orders=_rate_limit(environ, "RATE_LIMIT_ORDERS", "50 per second"),
        kite_strict_rate_limits=_choice(environ, "KITE_STRICT_RATE_LIMITS", ("off", "on"), "off") == "on",
        kite_strict_market_protection=_choice(environ, "KITE_STRICT_MARKET_PROTECTION", ("off", "on"), "off") == "on",
        allowed_origins=origins.origins("ALLOWED_ORIGINS", _parts(environ, "ALLOWED_ORIGINS", "")),
        trusted_proxies=origins.networks("TRUSTED_PROXIES", _parts(environ, "TRUSTED_PROXIES", "127.0.0.0/8, ::1")),
        # Longer than the 90 s of Heroku's router (devcenter.heroku.com/articles/http-routing, read 2026-11-26).
        keep_alive_s=_integer(environ, "KEEP_ALIVE_S", 120, 5, 3_600),
        metrics_token=_secret(environ, "METRICS_TOKEN"),
        metrics_port=_integer(environ, "METRICS_PORT", 0, 1, 65_535) or None,
        metrics_dir=_metrics_dir(environ, data_dir),
        tracing=_is_tracing(environ),
        stream_compression=_choice(environ, "STREAM_COMPRESSION", ("off", "on"), "off") == "on",
        environment=environment,
        data_dir=data_dir,
        port=_integer(environ, "PORT", DEFAULT_PORT, 1, 65_535),
        listen_on=_choice(environ, "LISTEN_ON", ("localhost", "all"), _listens_on(environment)),
        simulator=_choice(environ, "SIMULATOR", ("on", "off"), "on") == "on",
    )
    if settings.is_production:
        _require_production_settings(settings)
    return settings


@functools.cache
def settings() -> Settings:
    """Return the settings of this process, which are read once."""
    return load(os.environ)


def settings_or_exit(*checks: Callable[[Settings], None]) -> Settings:
    """Return the settings of this process; if one is bad, print one line and exit 1.

    Each check raises ConfigurationError for rules outside of this package, such as those of the database's client.
    """
    try:
        for check in checks:
            check(settings())
        return settings()
    except ConfigurationError as error:
        exit_for(error)


def exit_for(error: ConfigurationError) -> NoReturn:
    """Print the error in one line and exit 1."""
    # Dramatiq replaces sys.stderr by a pipe, and its main process may end before it has read the pipe.
    print(f"tradepost: {error}", file=sys.__stderr__)
    sys.exit(1)


def require_database_url(settings: Settings) -> str:
    """Return DATABASE_URL, or raise ConfigurationError if it is not set."""
    return _required(settings, "DATABASE_URL", settings.database_url)


def require_redis_url(settings: Settings) -> str:
    """Return REDIS_URL, or raise ConfigurationError if it is not set."""
    return _required(settings, "REDIS_URL", settings.redis_url)


def require_links(settings: Settings) -> None:
    """Raise ConfigurationError unless the URLs that a web process needs are set."""
    require_database_url(settings)
    if settings.order_dispatch == "queue":
        require_redis_url(settings)


def read_saved_environment(data_dir: Path) -> dict[str, str]:
    """Return the KEY=value lines that `make run` keeps in the data folder, or none without such a file."""
    try:
        lines = (data_dir / SAVED).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"DATA_DIR: {data_dir / SAVED} cannot be read ({type(error).__name__})") from None
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _required(settings: Settings, name: str, value: str | None) -> str:
    if value is None:
        remedy = f"set it, or start `make run`; if that has a DATA_DIR, set the same here ({_saved_file(settings)})"
        raise ConfigurationError(f"{name} is not set: {remedy}")
    return value


def _saved_file(settings: Settings) -> str:
    return f"{settings.data_dir.absolute() / SAVED} does not name it"


def _text(environ: Mapping[str, str], name: str) -> str | None:
    """Return the trimmed value, or None if it is unset or empty."""
    return environ.get(name, "").strip() or None


def _integer(environ: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    text = _text(environ, name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
        raise ConfigurationError(f"{name} must be a whole number from {minimum} to {maximum}, not {text!r}")
    return int(text)


def _time(environ: Mapping[str, str], name: str) -> time | None:
    """Return a time of the day in India, or None if it is not set."""
    text = _text(environ, name)
    if text is None:
        return None
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if match is None or text == "00:00":
        raise ConfigurationError(f"{name} must be a time of the day from 00:01 to 23:59, not {text!r}")
    return time(int(match[1]), int(match[2]))


def _rupees(environ: Mapping[str, str], name: str, default: str, maximum: int) -> Decimal:
    text = _text(environ, name) or default
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text) or Decimal(text) > maximum:
        raise ConfigurationError(f"{name} must be an amount of rupees from 0.00 to {maximum}, not {text!r}")
    return Decimal(text).quantize(Decimal("0.01"))


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    return _optional_choice(environ, name, choices) or default


def _optional_choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    text = _text(environ, name)
    if text is None:
        return None
    for choice in choices:
        if text.lower() == choice.lower():
            return choice
    raise ConfigurationError(f"{name} must be {' or '.join(choices)}, not {text!r}")


def _listens_on(environment: str) -> str:
    """Return the default: a development server has a known demo, so others in the same network may not use it."""
    return "localhost" if environment == "development" else "all"


def _namespace(environ: Mapping[str, str], name: str) -> str:
    text = _text(environ, name) or REDIS_NAMESPACE
    if not re.fullmatch(r"[a-z0-9_-]{1,32}", text):
        raise ConfigurationError(f"{name} must be 1 to 32 of a-z, 0-9, - and _, not {text!r}")
    return text


def _url(environ: Mapping[str, str], saved: Mapping[str, str], name: str) -> str | None:
    url = _text(environ, name) or _text(saved, name)
    if url is not None:
        urls.check(name, url)
    return url


def _shards(environ: Mapping[str, str], saved: Mapping[str, str]) -> int:
    """Return the number of buckets; the one that `make run` keeps is that of its own database."""
    is_given = _text(environ, "SHARDS") or _text(environ, "DATABASE_URL")
    return _integer(environ if is_given else saved, "SHARDS", 1, 1, MAX_SHARDS)


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    secret = _text(environ, name)
    if secret is not None and not re.fullmatch(r"[\x21-\x7e]{1,512}", secret):
        raise ConfigurationError(f"{name} must be at most 512 printable ASCII characters without spaces")
    return secret


def _rate_limit(environ: Mapping[str, str], name: str, default: str) -> RateLimit | None:
    text = _text(environ, name) or default
    if text.lower() == "off":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,6}) per (second|minute|hour)", text.lower())
    if match is None:
        raise ConfigurationError(f"{name} must be 'N per second', 'N per minute', 'N per hour' or 'off', not {text!r}")
    return RateLimit(count=int(match[1]), period_s=PERIOD_S[match[2]])


def _parts(environ: Mapping[str, str], name: str, default: str) -> list[str]:
    return [part.strip() for part in (_text(environ, name) or default).split(",") if part.strip()]


def _metrics_dir(environ: Mapping[str, str], data_dir: Path) -> Path:
    """Return the folder of the processes' counts: by default in memory, so that no process waits for a disk."""
    name = _text(environ, "METRICS_DIR")
    if name is not None:
        return Path(name).expanduser()
    memory = "/dev/shm"  # noqa: S108  a folder of another user is refused there
    # Not tempfile.gettempdir(), which finds none on a full disk.
    root = memory if os.access(memory, os.W_OK) else _text(environ, "TMPDIR") or "/tmp"  # noqa: S108  as above
    place = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
    return Path(root) / f"tradepost-{os.getuid()}-{place}"


def _is_tracing(environ: Mapping[str, str]) -> bool:
    """Return True if OpenTelemetry's own variables name a collector."""
    if (_text(environ, "OTEL_SDK_DISABLED") or "").lower() == "true":
        return False
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(_text(environ, name) for name in names)


def _require_production_settings(settings: Settings) -> None:
    require_links(settings)
    if settings.cron_secret is None:
        raise ConfigurationError("CRON_SECRET is not set: production needs one")
    for name, secret in (("CRON_SECRET", settings.cron_secret), ("METRICS_TOKEN", settings.metrics_token)):
        if secret is not None and (len(secret) < MIN_SECRET_LENGTH or OBVIOUS_SECRET.fullmatch(secret)):
            raise ConfigurationError(f"{name} is weak: use at least {MIN_SECRET_LENGTH} random characters")
    _refuse_embedded_servers(settings)


def _refuse_embedded_servers(settings: Settings) -> None:
    saved = read_saved_environment(settings.data_dir)
    embedded = saved.get("EMBEDDED_SERVERS", "").split(",")
    for name, url in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url)):
        if url is not None and ((name in embedded and saved.get(name) == url) or _is_below(url, settings.data_dir)):
            raise ConfigurationError(f"{name} points to the embedded server of DATA_DIR, which is for development only")


def _is_below(url: str, data_dir: Path) -> bool:
    """Return True if the URL's socket lies in the data folder."""
    parts = urlsplit(url)
    places = [unquote(parts.netloc.rpartition("@")[2]), *parse_qs(parts.query).get("host", [])]
    root = data_dir.resolve()
    return any(Path(place).resolve().is_relative_to(root) for place in places if place.startswith("/"))
