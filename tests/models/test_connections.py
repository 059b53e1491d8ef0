"""The hosts of a URL, and the options of each connection."""

import contextlib
import socket
import threading
import time
from decimal import Decimal
from urllib.parse import quote, urlsplit

import psycopg2
import pytest

from models import database
from models.connections import LOOK_AFTER_S, Server, outcome_of
from models.history import UNKNOWN, History, Newest
from models.pool import Pool
from tests.faults.proxy import Proxy, unix_target
from tests.support.servers import point_models_at


@pytest.fixture(autouse=True)
def bounded(migrated):
    """Make psycopg2 wait as in the application, which sets its database first."""


def shown(url, *names):
    connection = Server(url, "tradepost-test").connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
            return cursor.fetchone()
    finally:
        connection.close()


def with_options(url, options):
    return f"{url}{'&' if '?' in url else '?'}options={quote(options)}"


@pytest.fixture
def administer(cleaner):
    """Return a function that runs a statement."""

    def run(statement):
        with cleaner.cursor() as cursor:
            cursor.execute(statement)

    return run


@pytest.fixture
def set_in_database(database_url, administer):
    """Return a function that sets an option of the database for all its later sessions."""
    name, done = urlsplit(database_url).path.removeprefix("/"), []

    def change(setting, value):
        done.append(setting)
        administer(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'")

    yield change
    for setting in done:
        administer(f'ALTER DATABASE "{name}" RESET {setting}')


@pytest.fixture
def proxy_of(database_url, servers):
    """Return a function that starts a TCP proxy to the server of the tests."""
    if servers.postgres is None:
        pytest.skip("the server is not ours: its socket is not known")
    proxies = []

    def make():
        proxies.append(Proxy(unix_target(str(servers.postgres.socket_directory / ".s.PGSQL.5432"))))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


def tcp_url(database_url, hosts, options="sslmode=disable&gssencmode=disable"):
    return f"postgresql://postgres@{hosts}{urlsplit(database_url).path}?{options}"


def port_of(url):
    connection = Server(url, "tradepost-test").connect()
    try:
        return int(connection.info.port)
    finally:
        connection.close()


def test_options_of_the_url_stay_beside_those_of_each_connection(database_url):
    url = with_options(database_url, "-csearch_path=trade,public -c work_mem=5MB")
    assert shown(url, "search_path", "work_mem", "statement_timeout") == ("trade,public", "5MB", "5s")


def test_the_options_of_each_connection_override_those_of_the_url(database_url):
    assert shown(with_options(database_url, "-c statement_timeout=77000"), "statement_timeout") == ("5s",)


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_the_isolation_level_overrides_the_default_of_the_database(database_url, set_in_database, level):
    set_in_database("default_transaction_isolation", level)
    assert shown(database_url, "transaction_isolation") == ("read committed",)


def test_the_encoding_is_utf_8_despite_the_database_and_the_url(database_url, set_in_database):
    set_in_database("client_encoding", "LATIN1")
    url = f"{with_options(database_url, '-c client_encoding=LATIN1')}&client_encoding=LATIN1"
    assert shown(url, "client_encoding") == ("UTF8",)


def test_the_url_may_set_the_keepalives(proxy_of, database_url):
    address = f"127.0.0.1:{proxy_of().port}"
    assert keepalive_of(tcp_url(database_url, address)) == (10, 5, 2, 10_000)
    options = "sslmode=disable&keepalives_idle=77&tcp_user_timeout=7000"
    assert keepalive_of(tcp_url(database_url, address, options)) == (77, 5, 2, 7_000)


def keepalive_of(url):
    connection = Server(url, "tradepost-test").connect()
    with contextlib.closing(connection), socket.socket(fileno=connection.fileno()) as sock:
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        found = tuple(sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names)
        sock.detach()
    return found


def test_a_name_is_resolved_and_kept_for_certificates(proxy_of, database_url):
    connection = Server(tcp_url(database_url, f"localhost:{proxy_of().port}"), "tradepost-test").connect()
    with contextlib.closing(connection):
        parameters = connection.info.dsn_parameters
    assert (parameters["host"], parameters["hostaddr"]) == ("localhost", "127.0.0.1")


def test_a_socket_and_an_address_are_left_as_they_are(proxy_of, database_url):
    for url in (database_url, tcp_url(database_url, f"127.0.0.1:{proxy_of().port}")):
        connection = Server(url, "tradepost-test").connect()
        with contextlib.closing(connection):
            assert "hostaddr" not in connection.info.dsn_parameters


def place_of(database_url, servers):
    if servers.postgres is None:
        pytest.skip("the server is not ours: its socket is not known")
    return str(servers.postgres.socket_directory), urlsplit(database_url).path.removeprefix("/")


def test_a_url_without_a_host_is_left_to_libpq(database_url, servers, monkeypatch):
    host, name = place_of(database_url, servers)
    monkeypatch.setenv("PGHOST", host)
    assert shown(f"postgresql://postgres@/{name}", "TimeZone") == ("UTC",)


def test_a_service_is_left_to_libpq(database_url, servers, monkeypatch, tmp_path):
    host, name = place_of(database_url, servers)
    (tmp_path / "services").write_text(f"[trade]\nhost={host}\nuser=postgres\ndbname={name}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert shown("postgresql:///?service=trade", "TimeZone") == ("UTC",)


def test_the_host_that_served_after_a_silent_one_is_tried_first_from_then_on(proxy_of, database_url):
    silent, good = proxy_of(), proxy_of()
    silent.go_silent()
    server = Server(tcp_url(database_url, f"127.0.0.1:{silent.port},localhost:{good.port}"), "tradepost-test")
    for longest_s in (5.0, 1.5):  # 2 s for the silent host, and the delays of a busy machine
        start = time.monotonic()
        with contextlib.closing(server.connect()) as connection:
            assert int(connection.info.port) == good.port
        assert time.monotonic() - start < longest_s


def test_one_port_may_serve_for_several_hosts(proxy_of, database_url):
    port = proxy_of().port
    assert port_of(tcp_url(database_url, "", f"host=127.0.0.1,localhost&port={port}&sslmode=disable")) == port


def test_a_host_that_does_not_exist_leaves_the_others(proxy_of, database_url):
    port = proxy_of().port
    assert port_of(tcp_url(database_url, f"no..such.name:{port},127.0.0.1:{port}")) == port
    with pytest.raises(psycopg2.OperationalError, match="cannot be resolved"):
        port_of(tcp_url(database_url, f"no..such.name:{port}"))


def test_lists_of_unequal_lengths_are_refused_by_libpq(database_url):
    with pytest.raises(psycopg2.OperationalError, match="port numbers"):
        port_of(tcp_url(database_url, "", "host=127.0.0.1,127.0.0.2&port=1,2,3"))


@pytest.mark.parametrize("is_listed", [False, True])
def test_of_several_hosts_the_writable_one_is_used(proxy_of, database_url, set_in_database, is_listed):
    set_in_database("default_transaction_read_only", "on")
    port = proxy_of().port
    url = tcp_url(database_url, f"127.0.0.1:{port}" + f",127.0.0.1:{port}" * is_listed)
    if not is_listed:
        assert port_of(url) == port  # the proxy still serves
        return
    with pytest.raises(psycopg2.OperationalError, match="read-only"):
        port_of(url)
    assert port_of(f"{url}&target_session_attrs=any") == port


def test_a_statement_gives_up_on_a_silent_server_once_another_is_the_primary(proxy_of, database_url):
    silent, other = proxy_of(), proxy_of()
    server = Server(tcp_url(database_url, f"127.0.0.1:{silent.port},127.0.0.1:{other.port}"), "tradepost-test")
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        assert int(connection.info.port) == silent.port
        silent.black_hole()
        server._newest.history = connection.history._replace(timeline=connection.history.timeline + 1)
        start = time.monotonic()
        with pytest.raises(psycopg2.OperationalError, match="another server has been promoted"):
            cursor.execute("SELECT 1")
        assert time.monotonic() - start < LOOK_AFTER_S - 0.5  # it need not look itself, for another one has found it


def test_a_connection_to_an_old_primary_that_still_answers_is_not_used_again(proxy_of, database_url):
    server = Server(tcp_url(database_url, f"127.0.0.1:{proxy_of().port},127.0.0.1:{proxy_of().port}"), "tradepost-test")
    pool = Pool(server.connect, 2)
    idle, lent = pool.take(5), pool.take(5)
    pool.give_back(idle)
    for connection in (idle, lent):  # another thread has found the newer one
        connection.history = connection.history._replace(timeline=connection.history.timeline - 1)
    pool.give_back(lent)
    taken = pool.take(5)
    assert [connection.closed != 0 for connection in (idle, lent, taken)] == [True, True, False]
    taken.close()


def test_a_server_with_an_older_history_is_refused(proxy_of, database_url):
    server = Server(tcp_url(database_url, f"127.0.0.1:{proxy_of().port},127.0.0.1:{proxy_of().port}"), "tradepost-test")
    with contextlib.closing(server.connect()) as connection:
        history = connection.history
    server._newest.history = history._replace(timeline=history.timeline + 1)
    with pytest.raises(psycopg2.OperationalError, match="another server has been promoted"):
        server.connect()
    server._newest.history = history._replace(cluster=history.cluster + 1, timeline=history.timeline + 1)
    server.connect().close()  # a restored database is another cluster


def test_a_slow_thread_does_not_forget_the_newest_primary():
    newest, newer = Newest(), History(1, 2, Decimal(0))
    other = threading.Thread(target=newest.admit, args=(newer,))

    class Slow(History):
        """One that another thread overtakes between the comparison and the note, if it can."""

        def is_older_than(self, known):
            answer = super().is_older_than(known)
            other.start()
            other.join(0.1)
            return answer

    assert newest.admit(Slow(1, 1, Decimal(0)))
    other.join()
    assert newest.history == newer


def test_a_single_host_is_not_asked_for_its_history(proxy_of, database_url):
    with contextlib.closing(
        Server(tcp_url(database_url, f"127.0.0.1:{proxy_of().port}"), "tradepost-test").connect()
    ) as connection:
        assert (connection.history, connection.server) == (UNKNOWN, None)


def test_an_ipv6_address_is_understood(database_url):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 here")
    with listener:
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        with pytest.raises(psycopg2.OperationalError, match="closed the connection"):
            port_of(tcp_url(database_url, f"[::1]:{listener.getsockname()[1]}"))


def refusal_of(url):
    with pytest.raises(psycopg2.OperationalError) as caught:
        Server(url, "tradepost-test").connect()
    return str(caught.value)


def test_a_full_server_is_distinguished_from_an_unreachable_one(database_url, administer, silent_port):
    administer("CREATE ROLE nobody_more LOGIN CONNECTION LIMIT 0")
    try:
        assert outcome_of(refusal_of(database_url.replace("postgres@", "nobody_more@"))) == "full"
    finally:
        administer("DROP ROLE nobody_more")
    assert outcome_of(refusal_of("postgresql://127.0.0.1:1/x")) == "failed"
    assert outcome_of(refusal_of(f"postgresql://127.0.0.1:{silent_port}/x?sslmode=disable")) == "timed_out"
    assert outcome_of(refusal_of("postgresql://no..such.name/x")) == "unresolved"


@pytest.fixture
def silent_port():
    """Return the port of a server that accepts connections into its backlog and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_connect_is_bounded_also_in_an_unbounded_session(database_url, silent_port):
    """The ledger check has no deadline of its own, and still must not wait for a connection for ever."""
    database.initialise(f"postgresql://127.0.0.1:{silent_port}/x?sslmode=disable", pool_size=1)
    ended = threading.Event()

    def check():
        with pytest.raises(database.DatabaseUnavailable), database.session_with_deadline():
            pass
        ended.set()

    threading.Thread(target=check, daemon=True).start()
    try:
        assert ended.wait(20)
    finally:
        point_models_at(database_url)
