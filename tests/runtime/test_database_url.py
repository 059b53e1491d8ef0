"""The check of DATABASE_URL by libpq at start."""

import psycopg2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn

import config
from runtime import database_url

HOST = "postgres://user:hidden-word@db.example.com"


def complaint_about(url):
    """Return the reason why the URL is refused at start, or None."""
    try:
        database_url.check(config.load({"DATABASE_URL": url}))
    except config.ConfigurationError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("pgbouncer=true", "the parameter pgbouncer"),
        ("schema=public", "options=-csearch_path%3D"),
        ("connection_limit=5", "DATABASE_POOL_SIZE"),
        ("sslaccept=strict", "use sslmode"),
        ("application_name=a&pool_timeout=0", "the parameter pool_timeout"),
        ("ssl=false", "the parameter ssl"),
        ("target_session_attrs=writer", "target_session_attrs"),
        ("channel_binding=always", "channel_binding"),
        ("require_auth=everything", "require_auth"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system"),
        ("port=5432,5433", "could not match 2 port numbers to 1 hosts"),
        ("hostaddr=192.0.2.1,192.0.2.2", "could not match 1 host names to 2 hostaddr values"),
        ("service=nowhere", "nowhere"),
    ],
)
def test_a_url_that_libpq_refuses_is_one_line(query, text):
    complaint = complaint_about(f"{HOST}/tradepost?{query}")
    assert complaint.startswith("DATABASE_URL ")
    assert text in complaint
    assert "\n" not in complaint
    assert "hidden-word" not in complaint


@pytest.mark.parametrize(
    "query",
    [
        *("", "ssl=true", "sslmode=verify-full", "gssencmode=require", "target_session_attrs=read-write"),
        *(
            "hostaddr=192.0.2.1",
            "load_balance_hosts=random",
            "options=-csearch_path%3Dtrade",
            "application_name=%C3%A9",
        ),
        "tcp_user_timeout=5000&keepalives=1&keepalives_interval=5&keepalives_count=3&connect_timeout=3",
    ],
)
def test_a_url_that_libpq_accepts_is_accepted(query):
    assert complaint_about(f"{HOST}/tradepost?{query}") is None
    assert complaint_about(f"{HOST},other.example.com:5433/tradepost?{query}") in (
        None,
        "DATABASE_URL is refused by PostgreSQL's client library: could not match 2 host names to 1 hostaddr values",
    )


NAMES = st.sampled_from(["sslmode", "port", "host", "options", "password", "dbname", "schema", "x", "connect_timeout"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
PARAMETERS = st.lists(st.tuples(NAMES, VALUES), max_size=3)


@given(authority=VALUES, parameters=PARAMETERS)
@example(authority="user:9", parameters=[("x", "1@db.example.com")])
@example(authority="[::1", parameters=[])
@example(authority="user:%E9@db.example.com", parameters=[])
@example(authority="", parameters=[("host", "//evil")])
def test_every_accepted_url_is_read_by_libpq(authority, parameters):
    query = "&".join(f"{name}={value}" for name, value in parameters)
    url = f"postgres://{authority}/tradepost?{query}"
    if complaint_about(url) is None:
        parse_dsn(url)


def test_an_accepted_url_connects(servers):
    joint = "&" if "?" in servers.database_url else "?"
    url = f"{servers.database_url}{joint}target_session_attrs=read-write&options=-cwork_mem%3D5MB"
    assert complaint_about(url) is None
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW work_mem")
        assert cursor.fetchone() == ("5MB",)
