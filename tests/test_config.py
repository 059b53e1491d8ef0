"""A bad setting stops the process with one line that names it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import config
from config import misspelt
from config.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "TRADEPOST_ENV": "production",
    "DATABASE_URL": "postgres://user:hidden-word@db.example.com:5432/tradepost?sslmode=require",
    "REDIS_URL": "rediss://:hidden-word@redis.example.com:6380",
    "CRON_SECRET": "Zx8vQ2mLr5TnW0aB",
}

BAD = [
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "eighty"),
    ("PORT", "8000.0"),
    ("PORT", "-1"),
    ("PORT", "٨٠٠٠"),
    ("WEB_CONCURRENCY", "0"),
    ("WEB_CONCURRENCY", "two"),
    ("WORKER_PROCESSES", "0"),
    ("WORKER_THREADS", "1000"),
    ("DATABASE_POOL_SIZE", "0"),
    ("DATABASE_POOL_SIZE", "101"),
    ("ORDER_WORKER_INTERVAL_MS", "49"),
    ("ORDER_WORKER_INTERVAL_MS", "60001"),
    ("ORDER_WORKER_BATCH_LIMIT", "0"),
    ("ORDER_WORKER_BATCH_LIMIT", "501"),
    ("ORDER_DISPATCH", "later"),
    ("SIMULATOR", "never"),
    ("LISTEN_ON", "192.0.2.1"),
    ("LOG_LEVEL", "LOUD"),
    ("LOG_FORMAT", "xml"),
    ("MARKET_CALENDAR", "NYSE"),
    ("FILL_MODEL", "LATER"),
    ("LIMIT_FILLS", "half"),
    ("UNKNOWN_SYMBOLS", "ask"),
    ("MAX_QUOTE_AGE_S", "-1"),
    ("MAX_QUOTE_AGE_S", "86401"),
    ("RECORD_CANDLES", "minute"),
    ("CANDLES_KEPT_DAYS", "0"),
    ("CANDLES_KEPT_DAYS", "3661"),
    ("ALLOW_T1_SALES", "maybe"),
    ("SQUARE_OFF_TIME", "24:00"),
    ("SQUARE_OFF_TIME", "00:00"),
    ("SQUARE_OFF_TIME", "3:12 pm"),
    ("SQUARE_OFF_FEE", "-1"),
    ("SQUARE_OFF_FEE", "0.005"),
    ("SQUARE_OFF_FEE", "10000.01"),
    ("TRADEPOST_ENV", "staging"),
    ("RATE_LIMIT_ORDERS", "0 per second"),
    ("RATE_LIMIT_ORDERS", "50 per day"),
    ("RATE_LIMIT_ORDERS", "fifty"),
    ("ALLOWED_ORIGINS", "*"),
    ("ALLOWED_ORIGINS", "https://desk.example.com, desk.example.com"),
    ("ALLOWED_ORIGINS", "https://desk.example.com/path"),
    ("CRON_SECRET", "two words"),
    ("CRON_SECRET", "schlüssel"),
    ("METRICS_TOKEN", "two words"),
    ("METRICS_PORT", "0"),
    ("METRICS_PORT", "off"),
    ("DATABASE_URL", "mysql://user:hidden-word@db.example.com/tradepost"),
    ("DATABASE_URL", "postgres://user:hidden-word@db.example.com:port/tradepost"),
    ("DATABASE_URL", "postgres://user:hidden-word@db.example.com/tradepost?sslmode=maybe"),
    ("DATABASE_URL", "postgres://user:hidden-word@db.example.com:65536/tradepost"),
    ("DATABASE_URL", "postgres://user:hidden-word%zz@db.example.com/tradepost"),
    ("DATABASE_URL", "postgres://user:hidden-word%00@db.example.com/tradepost"),
    ("DATABASE_URL", "postgres://user:9?hidden-word=1@db.example.com/tradepost"),
    ("DATABASE_URL", "postgres://user:hidden-word/1@db.example.com/tradepost"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?port=0"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?sslmode"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?hostaddr=db.example.com"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?connect_timeout=2s"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?sslmode=verify-full&sslrootcert=/nowhere/root.crt"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?sslcert=/nowhere/client.crt"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?options=-csearch_path=trade"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?options=search_path%3Dtrade"),
    ("DATABASE_URL", "postgres://db.example.com/tradepost?options=-c%20search_path"),
    ("DATABASE_URL", "postgres://user:hidden-word@[::1/tradepost"),
    ("DATABASE_URL", "db.example.com"),
    ("DATABASE_URL", "postgresql://"),
    ("REDIS_URL", "http://redis.example.com"),
    ("REDIS_URL", "redis://:hidden-word@redis.example.com:99999"),
    ("REDIS_URL", "redis://:6379"),
    ("REDIS_URL", "redis://redis.example.com/zero"),
    ("REDIS_URL", "redis://user:hidden-word@[::1"),
    ("REDIS_URL", "redis://user:9?hidden-word=1@redis.example.com"),
    ("REDIS_URL", "redis://redis.example.com?sentinel=one"),
    ("REDIS_URL", "redis://redis.example.com?decode_responses=true"),
    ("REDIS_URL", "redis://redis.example.com?protocol=3"),
    ("REDIS_URL", "redis://redis.example.com?db=zero"),
    ("REDIS_URL", "redis://redis.example.com/1?db=2"),
    ("REDIS_URL", "redis://redis.example.com?socket_timeout=soon"),
    ("REDIS_URL", "redis://redis.example.com?ssl_cert_reqs=none"),
    ("REDIS_URL", "rediss://redis.example.com?ssl_cert_reqs=CERT_NONE"),
    ("REDIS_URL", "rediss://redis.example.com?ssl_ca_certs=/nowhere/root.crt"),
    ("REDIS_URL", "redis+sentinel://:hidden-word@one.example.com,two.example.com"),
    ("REDIS_URL", "redis+sentinel://:hidden-word@one.example.com/0/service"),
    ("REDIS_URL", "redis+sentinel://:hidden-word@one.example.com/service/zero"),
    ("REDIS_URL", "redis+sentinel://:hidden-word@one.example.com,/service"),
    ("REDIS_URL", "redis+sentinel://:hidden-word@one.example.com:0/service"),
    ("REDIS_URL", "redis+sentinel://one.example.com,two.example.com:99999/service"),
    ("REDIS_URL", "redis+sentinel://one.example.com/service?sentinel_password=hidden-word%20"),
    ("REDIS_URL", "redis+sentinel://one.example.com/service?quorum=2"),
    ("REDIS_URL", "redis+sentinel://one.example.com/service/1?db=2"),
    ("REDIS_URL", "redis+sentinel://one.example.com/service?ssl_cert_reqs=none"),
    ("REDIS_URL", "redis://redis.example.com?sentinel_password=hidden-word"),
    ("REDIS_NAMESPACE", "Blue"),
    ("REDIS_NAMESPACE", "two:parts"),
    ("REDIS_NAMESPACE", "zwölf"),
    ("REDIS_NAMESPACE", "a" * 33),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"DATA_DIR": str(tmp_path)}


def problem_of(environment: dict[str, str]) -> str:
    with pytest.raises(config.ConfigurationError) as caught:
        config.load(environment)
    return str(caught.value)


def test_the_defaults_are_those_of_the_contract(environment: dict[str, str]) -> None:
    settings = config.load(environment)
    assert (settings.database_url, settings.redis_url, settings.cron_secret) == (None, None, None)
    assert settings.redis_namespace == "tradepost"
    assert (settings.order_worker_interval_ms, settings.order_worker_batch_limit) == (750, 50)
    assert (settings.order_dispatch, settings.log_level, settings.log_format) == ("queue", "INFO", "text")
    assert (settings.web_concurrency, settings.worker_processes, settings.worker_threads) == (2, 1, 4)
    assert settings.database_pool_size == 16
    assert settings.rate_limit_orders == config.RateLimit(count=50, period_s=1)
    assert (settings.market_calendar, settings.allowed_origins, settings.port) == (None, (), 8000)
    assert settings.simulator
    assert not config.load(environment | {"SIMULATOR": "off"}).simulator
    assert (settings.fill_model, settings.limit_fills, settings.max_quote_age_s) == ("IMMEDIATE", "book", 60)
    assert settings.unknown_symbols == "create"
    assert config.load({}).data_dir == Path(".data")
    assert (settings.metrics_token, settings.metrics_port, settings.tracing) == (None, None, False)


@pytest.mark.parametrize(("shards", "pool", "connections"), [("1", "", 16), ("4", "", 4 * 5), ("4", "7", 7 * 5)])
def test_each_bucket_and_the_shared_tables_have_connections_of_their_own(
    environment: dict[str, str], shards: str, pool: str, connections: int
) -> None:
    settings = config.load(environment | {"SHARDS": shards, "DATABASE_POOL_SIZE": pool})
    assert settings.database_connections == connections


def test_the_buckets_of_make_run_are_those_of_its_own_database(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "env").write_text("DATABASE_URL=postgresql://localhost/kept\nSHARDS=4\n")
    assert config.load(environment).shards == 4
    assert config.load(environment | {"SHARDS": "2"}).shards == 2
    assert config.load(environment | {"DATABASE_URL": "postgresql://localhost/other"}).shards == 1


def test_an_empty_value_counts_as_unset(environment: dict[str, str]) -> None:
    names = ["DATABASE_URL", "REDIS_URL", "REDIS_NAMESPACE", "PORT", "CRON_SECRET", "MARKET_CALENDAR"]
    names += ["RATE_LIMIT_ORDERS"]
    assert config.load(environment | dict.fromkeys(names, " ")) == config.load(environment)


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value}"[:40] for name, value in BAD])
def test_a_bad_value_is_one_line_that_names_the_variable(environment: dict[str, str], name: str, value: str) -> None:
    problem = problem_of(environment | {name: value})
    assert problem.startswith(name)
    assert "\n" not in problem
    assert "hidden-word" not in problem


def test_a_value_with_a_line_break_is_still_reported_in_one_line(environment: dict[str, str]) -> None:
    assert "\n" not in problem_of(environment | {"LOG_FORMAT": "te\nxt"})


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db.example.com/tradepost",
        "postgresql://user:p%40ss@db.example.com:5432/tradepost?sslmode=require",
        "postgresql://postgres@/postgres?host=/var/run/postgresql",
        "postgresql://one.example.com:5432,two.example.com:5433/tradepost",
        "postgresql://user@[::1]:5432/tradepost",
        "postgresql:///tradepost?host=/run/one,/run/two&port=5432,5433",
        "postgresql://db.example.com/tradepost?hostaddr=192.0.2.1&connect_timeout=5&keepalives_idle=30",
        "postgresql://db.example.com/tradepost?sslmode=verify-full&sslrootcert=system",
        "postgresql://db.example.com/tradepost?options=-csearch_path%3Dtrade%20-c%20work_mem%3D8MB",
        "postgresql://db.example.com/tradepost?options=--search_path%3Dtrade&target_session_attrs=read-write",
        "postgresql://ep-one.example.com/tradepost?options=endpoint%3Dep-one",
    ],
)
def test_every_form_of_database_url_that_libpq_accepts_is_accepted(environment: dict[str, str], url: str) -> None:
    assert config.load(environment | {"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://:word@redis.example.com:6380",
        "redis://[::1]",
        "redis://redis.example.com/2?db=2&socket_timeout=2.5&max_connections=20&client_name=trade",
        "rediss://redis.example.com?ssl_cert_reqs=required&ssl_check_hostname=true",
        "redis+sentinel://one.example.com/tradepost",
        "redis+sentinel://user:word@one.example.com:26379,192.0.2.1,[2001:db8::1]:5000/tradepost/2",
        "rediss+sentinel://:word@one.example.com/a.b/0?sentinel_username=u&sentinel_password=p&ssl_cert_reqs=required",
    ],
)
def test_redis_urls_are_accepted(environment: dict[str, str], url: str) -> None:
    assert config.load(environment | {"REDIS_URL": url}).redis_url == url


def test_a_rate_limit_has_a_period_or_is_off(environment: dict[str, str]) -> None:
    limited = config.load(environment | {"RATE_LIMIT_ORDERS": "10 per Minute"})
    assert limited.rate_limit_orders == config.RateLimit(count=10, period_s=60)
    assert config.load(environment | {"RATE_LIMIT_ORDERS": "off"}).rate_limit_orders is None


def test_origins_are_a_list(environment: dict[str, str]) -> None:
    settings = config.load(environment | {"ALLOWED_ORIGINS": "https://Desk.example.com, http://localhost:3000"})
    assert settings.allowed_origins == ("https://desk.example.com", "http://localhost:3000")


def test_an_origin_is_kept_as_browsers_write_it(environment: dict[str, str]) -> None:
    given = (
        "capacitor://localhost,ionic://localhost,chrome-extension://abcdef,app://-,https://a.example:443,http://a:443"
    )
    kept = "capacitor://localhost,ionic://localhost,chrome-extension://abcdef,app://-,https://a.example,http://a:443"
    assert ",".join(config.load(environment | {"ALLOWED_ORIGINS": given}).allowed_origins) == kept


@pytest.mark.parametrize(
    "origin", ["*", "null", "localhost", "https://a.example/", "wss://a.example", "file://", "://a"]
)
def test_a_bad_origin_is_refused(environment: dict[str, str], origin: str) -> None:
    assert problem_of(environment | {"ALLOWED_ORIGINS": origin}).startswith("ALLOWED_ORIGINS must list origins like")


def test_trusted_proxies_are_addresses_and_networks(environment: dict[str, str]) -> None:
    def trusted(value: str) -> list[str]:
        return [str(network) for network in config.load(environment | {"TRUSTED_PROXIES": value}).trusted_proxies]

    assert trusted("") == ["127.0.0.0/8", "::1/128"]
    assert trusted("192.0.2.1, 10.0.0.0/8,fd00::/8") == ["192.0.2.1/32", "10.0.0.0/8", "fd00::/8"]
    assert trusted("off") == []
    for value in ("*", "proxy.example", "10.0.0.1/8", "10.0.0.0/33"):
        assert problem_of(environment | {"TRUSTED_PROXIES": value}).startswith("TRUSTED_PROXIES must list addresses")


def test_idle_connections_are_kept_longer_than_proxies_keep_them(environment: dict[str, str]) -> None:
    assert config.load(environment).keep_alive_s > 90  # Heroku's router
    assert config.load(environment | {"KEEP_ALIVE_S": "620"}).keep_alive_s == 620
    assert problem_of(environment | {"KEEP_ALIVE_S": "0"}).startswith("KEEP_ALIVE_S must be")


def test_unset_urls_are_read_from_the_data_folder(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "env").write_text("DATABASE_URL=postgres://kept.example.com/a\nREDIS_URL=redis://kept.example.com\n")
    assert config.load(environment).database_url == "postgres://kept.example.com/a"
    settings = config.load(environment | {"DATABASE_URL": "postgres://given.example.com/a"})
    assert (settings.database_url, settings.redis_url) == (
        "postgres://given.example.com/a",
        "redis://kept.example.com",
    )


def test_a_command_without_urls_names_the_missing_setting(environment: dict[str, str]) -> None:
    settings = config.load(environment)
    with pytest.raises(config.ConfigurationError, match=r"^DATABASE_URL is not set: .*make run"):
        config.require_database_url(settings)
    with pytest.raises(config.ConfigurationError, match=r"^REDIS_URL is not set: .*make run"):
        config.require_redis_url(settings)


def test_production_accepts_real_servers_and_secrets(environment: dict[str, str]) -> None:
    settings = config.load(environment | PRODUCTION)
    assert settings.is_production
    assert config.require_database_url(settings) == PRODUCTION["DATABASE_URL"]
    assert config.require_redis_url(settings) == PRODUCTION["REDIS_URL"]


def test_a_web_process_needs_the_servers_that_its_dispatch_needs(environment: dict[str, str]) -> None:
    here = {"DATABASE_URL": "postgres://db.example.com/tradepost"}
    with pytest.raises(config.ConfigurationError, match=r"^REDIS_URL is not set"):
        config.require_links(config.load(environment | here))
    for dispatch in ("inline", "none"):
        config.require_links(config.load(environment | here | {"ORDER_DISPATCH": dispatch}))
        with pytest.raises(config.ConfigurationError, match=r"^DATABASE_URL is not set"):
            config.require_links(config.load(environment | {"ORDER_DISPATCH": dispatch}))


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "CRON_SECRET"])
def test_production_refuses_a_missing_setting(environment: dict[str, str], name: str) -> None:
    assert problem_of(environment | PRODUCTION | {name: ""}).startswith(f"{name} is not set")


def test_production_without_a_queue_needs_no_redis(environment: dict[str, str]) -> None:
    assert config.load(environment | PRODUCTION | {"REDIS_URL": "", "ORDER_DISPATCH": "inline"}).redis_url is None


@pytest.mark.parametrize("secret", ["short", "aaaaaaaaaaaaaaaaaaaaaaaa", "please-change-me-now", "my-secret-password"])
@pytest.mark.parametrize("name", ["CRON_SECRET", "METRICS_TOKEN"])
def test_production_refuses_a_weak_secret(environment: dict[str, str], name: str, secret: str) -> None:
    problem = problem_of(environment | PRODUCTION | {name: secret})
    assert problem.startswith(f"{name} is weak")
    assert secret not in problem


def test_counts_of_two_data_folders_are_kept_apart(environment: dict[str, str], tmp_path: Path) -> None:
    other = config.load({"DATA_DIR": str(tmp_path / "other")})
    assert config.load(environment).metrics_dir == config.load(environment).metrics_dir != other.metrics_dir
    assert config.load(environment | {"METRICS_DIR": str(tmp_path)}).metrics_dir == tmp_path


def test_traces_are_sent_if_opentelemetrys_own_variables_name_a_collector(environment: dict[str, str]) -> None:
    asked = environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert config.load(asked).tracing
    assert config.load(environment | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}).tracing
    assert not config.load(asked | {"OTEL_SDK_DISABLED": "true"}).tracing


def test_production_refuses_the_embedded_servers(environment: dict[str, str], tmp_path: Path) -> None:
    socket = f"postgresql://postgres@/tradepost?host={tmp_path}/postgres"
    assert problem_of(environment | PRODUCTION | {"DATABASE_URL": socket}).startswith("DATABASE_URL points to")
    elsewhere, valkey = "postgresql://postgres@/tradepost?host=/tmp/tradepost-1", "redis://127.0.0.1:40001/0"
    lines = [f"DATABASE_URL={elsewhere}", f"REDIS_URL={valkey}", "EMBEDDED_SERVERS=DATABASE_URL,REDIS_URL"]
    (tmp_path / "env").write_text("\n".join(lines))
    assert problem_of(environment | PRODUCTION | {"DATABASE_URL": elsewhere}).startswith("DATABASE_URL points to")
    assert problem_of(environment | PRODUCTION | {"REDIS_URL": valkey}).startswith("REDIS_URL points to")


def test_production_reads_nothing_from_the_data_folder(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "env").write_text(f"DATABASE_URL={PRODUCTION['DATABASE_URL']}\n")
    assert problem_of(environment | PRODUCTION | {"DATABASE_URL": ""}).startswith("DATABASE_URL is not set")


def test_a_process_with_a_bad_setting_prints_one_line_and_exits_1() -> None:
    code = "import config; config.settings_or_exit()"
    environment = {**os.environ, "PORT": "http"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "tradepost: PORT must be a whole number from 1 to 65535, not 'http'\n"


def test_the_line_reaches_the_real_standard_error() -> None:
    """Dramatiq relays it through a pipe, and may end before it has done so."""
    code = "import config, io, sys; sys.stderr = io.StringIO(); config.settings_or_exit()"
    environment = {**os.environ, "PORT": "http"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr[:16]) == (1, "tradepost: PORT ")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("WEB_CONCURENCY", "WEB_CONCURRENCY"),
        ("ORDER_DISPTACH", "ORDER_DISPATCH"),
        ("DATA_DRI", "DATA_DIR"),
        ("REDIS_URI", "REDIS_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("fill_model", "FILL_MODEL"),
    ],
)
def test_a_variable_that_nearly_equals_a_setting_is_named(given: str, meant: str) -> None:
    assert misspelt.find({given: "4", "PATH": "/bin"}) == {given: meant}
    assert misspelt.find({given: "4", meant: "8"}) == {}  # the setting is set: the other has another purpose


# The names that Heroku, Render, Railway, Fly, Cloud Run, Lambda, ECS, Kubernetes (a service of each name), GitHub,
# systemd, PostgreSQL's and OpenTelemetry's clients, desktops and this project's examples set.
FOREIGN = """
DYNO STACK SOURCE_VERSION HEROKU_APP_NAME HEROKU_POSTGRESQL_CYAN_URL DATABASE_CONNECTION_POOL_URL REDIS_TLS_URL
REDIS_TEMPORARY_URL RENDER_EXTERNAL_URL RENDER_INSTANCE_ID RENDER_SERVICE_TYPE RAILWAY_ENVIRONMENT DATABASE_PUBLIC_URL
DATABASE_PRIVATE_URL REDISHOST REDISPORT REDIS_HOST REDIS_PASSWORD FLY_REGION FLY_APP_NAME PRIMARY_REGION K_SERVICE
K_REVISION CLOUD_RUN_JOB AWS_LAMBDA_FUNCTION_NAME AWS_REGION ECS_CONTAINER_METADATA_URI_V4 _X_AMZN_TRACE_ID
LAMBDA_TASK_ROOT KUBERNETES_PORT KUBERNETES_SERVICE_PORT REDIS_PORT REDIS_SERVICE_PORT TRADEPOST_PORT
TRADEPOST_SERVICE_PORT WEB_PORT
WORKER_PORT WEB_SERVICE_HOST POSTGRES_PORT DATABASE_PORT DATABASE_HOST DATABASE_NAME POSTGRES_URL POSTGRES_PASSWORD
DB_URL GITHUB_TOKEN GITHUB_ENV CI RUNNER_TEMP LISTEN_FDS LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET STATE_DIRECTORY
LOGS_DIRECTORY RUNTIME_DIRECTORY PGHOST PGPORT PGDATA PGDATABASE OTEL_EXPORTER_OTLP_METRICS_ENDPOINT OTEL_LOG_LEVEL
XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR SSH_AUTH_SOCK LC_ALL LANG TERM SHELL HOST HOSTNAME DISPLAY PYTHONPATH
PYTHONUNBUFFERED VIRTUAL_ENV PIP_INDEX_URL UV_CACHE_DIR NODE_ENV FLASK_ENV FLASK_DEBUG GUNICORN_CMD_ARGS
PROMETHEUS_MULTIPROC_DIR TRADEPOST_URL TRADEPOST_TOKEN TOKEN FEED_TOKEN ADMIN_TOKEN MAKEFLAGS MAKELEVEL TMPDIR NO_PROXY
"""


def test_the_variables_of_hosts_and_tools_are_not_taken_for_settings() -> None:
    assert misspelt.find(dict.fromkeys(FOREIGN.split(), "x")) == {}


def test_every_setting_of_the_readme_is_known_by_its_name() -> None:
    table = (ROOT / "README.md").read_text().partition("| variable | default |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row.split("|")[1])}
    assert {name for name in named if not name.startswith("OTEL_")} == set(misspelt.settings())


def test_a_misspelt_setting_is_a_line_and_no_error() -> None:
    code = "from config import misspelt; misspelt.warn()"
    environment = {**os.environ, "WEB_CONCURENCY": "4"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    line = "tradepost: WEB_CONCURENCY is not a setting and has no effect: is WEB_CONCURRENCY meant?\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", line)


def test_a_development_server_listens_on_this_machine_only(environment: dict[str, str]) -> None:
    assert config.load(environment).listen_on == "localhost"
    assert config.load(environment | {"LISTEN_ON": "all"}).listen_on == "all"
    assert config.load(environment | PRODUCTION).listen_on == "all"


def test_importing_the_module_reads_nothing() -> None:
    environment = {**os.environ, "PORT": "http"}
    done = subprocess.run([sys.executable, "-c", "import config"], cwd=ROOT, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_version_is_that_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
