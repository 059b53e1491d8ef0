"""Tradepost on six hosts: two with a web command, two with a worker command, the database's and Redis' own."""

import contextlib
import subprocess
import sys
from functools import partial
from pathlib import Path

from embedded.postgres import SOCKET_PORT, Postgres
from embedded.valkey import Valkey
from tests.faults.machine import Machine
from tests.faults.network import Network
from tests.faults.proxy import Proxy
from tests.faults.system import BOOT_S, System, is_booted
from tests.faults.workload import Client, Request, Workload
from tests.support.processes import ROOT, Running, wait_until
from tests.support.servers import FORGETFUL

WEBS, WORKERS = ("web-1", "web-2"), ("worker-1", "worker-2")
DATABASE, REDIS = "database", "redis"
HOSTS = (*WEBS, *WORKERS, DATABASE, REDIS)
SOCKET = "valkey.sock"  # for the harness, which is on none of the hosts
FAR_PORTS = {DATABASE: 6432, REDIS: 7379}  # of the proxies that delay where the kernel does not


class HostPostgres(Postgres):
    """A PostgreSQL on its host, which takes connections from the others."""

    def __init__(self, folder: Path, network: Network) -> None:
        super().__init__(folder, durable=False, settings={**FORGETFUL, "listen_addresses": "*"})
        self._network = network

    def initialise(self) -> None:
        """Create the database files unless they exist, and let in the other hosts."""
        is_new = not self.is_initialised
        super().initialise()
        if is_new:
            with open(self.data / "pg_hba.conf", "a") as rules:
                rules.write("host all all 10.77.0.0/16 trust\n")

    def _start(self) -> None:
        self._network.inside(DATABASE, super()._start)


class HostValkey(Valkey):
    """A Valkey on its host, which takes connections from the others."""

    def __init__(self, folder: Path, network: Network) -> None:
        super().__init__(folder, durable=False)
        self._network = network

    @property
    def url(self) -> str:
        """Return the harness's URL, the path of a socket."""
        return f"unix://{self.folder / SOCKET}?db=0"

    def _start(self) -> bool:
        return self._network.inside(REDIS, super()._start)

    def _options(self) -> list[str]:
        options = super()._options()
        options.insert(options.index("--bind") + 2, self._network.addresses[REDIS])
        return [*options, "--protected-mode", "no", "--unixsocket", str(self.folder / SOCKET)]


class HostMachine(Machine):
    """The servers, each on its host."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = Network(HOSTS)
        self.postgres = HostPostgres(folder / "postgres", self.network)
        self.valkey = HostValkey(folder / "valkey", self.network)

    def close(self) -> None:
        """Stop the servers, and remove their files and the hosts."""
        super().close()
        self.network.close()


class Hosts(System):
    """Tradepost's processes on their hosts; a round trip to a server takes apart_ms more than within one machine."""

    def __init__(self, machine: HostMachine, folder: Path, *, apart_ms: float = 0.0, **settings: str) -> None:
        self.network, self._delays, self._delayed = machine.network, [], []
        self._ports = {DATABASE: SOCKET_PORT, REDIS: machine.valkey.port or 0}
        with contextlib.ExitStack() as undo:
            undo.callback(self._end_delays)
            self._delay(apart_ms / 2000)
            redis_url = f"redis://{self.network.addresses[REDIS]}:{self._ports[REDIS]}/0"
            super().__init__(machine, folder, **{"REDIS_URL": redis_url, "LOG_LEVEL": "INFO", **settings})
            undo.pop_all()
        self.doors: dict[str, Proxy] = {}
        self.running: dict[str, Running] = {}

    def url_of(self, host: str) -> str:
        """Return the URL at which the harness reaches a web command, whatever is cut."""
        return f"http://127.0.0.1:{self.doors[host].port}"

    def start(self, webs: int = 2, workers: int = 2, **settings: str) -> "Hosts":
        """Start web and worker commands, each on a host of its own, and wait for all of them."""
        for host in WEBS[:webs]:
            self._begin_web(host, settings)
        for host in WORKERS[:workers]:
            self._begin_worker(host, settings)
        for web in self.webs:
            web.wait_until_ready(BOOT_S)
        for worker in self.workers:
            _wait_for(worker)
        return self

    def start_web(self, **settings: str) -> Running:
        """Start a web command on the first host without one, and wait until it answers."""
        return self._begin_web(self._free_host(WEBS), settings).wait_until_ready(BOOT_S)

    def start_worker(self, **settings: str) -> Running:
        """Start a worker command on the first host without one, and wait until it works."""
        return _wait_for(self._begin_worker(self._free_host(WORKERS), settings))

    def heal(self) -> None:
        """End every cut and every fault."""
        self.network.heal()
        super().heal()

    def close(self) -> None:
        """End the processes, and drop the database."""
        self.network.heal()
        super().close()
        for door in self.doors.values():
            door.close()
        self._end_delays()

    def _begin_web(self, host: str, settings: dict[str, str]) -> Running:
        if host not in self.doors:
            self.doors[host] = Proxy(partial(self._knock, host))
        port = self.doors[host].port
        if host == WEBS[0]:
            self.web_port = port
        self.webs.append(self._start_on(host, "web", {"PORT": str(port), **settings}, port))
        return self.webs[-1]

    def _begin_worker(self, host: str, settings: dict[str, str]) -> Running:
        self.workers.append(self._start_on(host, "worker", settings, None))
        return self.workers[-1]

    def _start_on(self, host: str, name: str, settings: dict[str, str], port: int | None) -> Running:
        started = self.network.inside(host, lambda: self.starter._start(name, settings, port=port))
        self.running[host] = started
        return started

    def _knock(self, host: str):
        return self.network.door(host, self.doors[host].port)()

    def _free_host(self, hosts: tuple[str, ...]) -> str:
        return next(host for host in hosts if host not in self.running or not self.running[host].is_running)

    def _proxied_url(self) -> str:
        address = f"{self.network.addresses[DATABASE]}:{self._ports[DATABASE]}"
        return f"postgresql://postgres@{address}/{self.name}?sslmode=disable&gssencmode=disable"

    def _delay(self, seconds: float) -> None:
        """Put the servers further away: by the kernel, or else by a proxy on the server's host."""
        for host in (DATABASE, REDIS) if seconds else ():
            if self.network.delay(host, seconds):
                self._delayed.append(host)
                continue
            numbers = (str(FAR_PORTS[host]), str(self._ports[host]), str(seconds))
            command = [sys.executable, "-m", "tests.faults.distance", self.network.addresses[host], *numbers]
            start = partial(subprocess.Popen, command, cwd=ROOT, stdout=subprocess.PIPE)
            process = self.network.inside(host, start)
            self._delays.append(process)
            assert process.stdout.readline(), f"no proxy delays {host}"
            self._ports[host] = FAR_PORTS[host]

    def _end_delays(self) -> None:
        while self._delayed:
            self.network.delay(self._delayed.pop(), 0.0)
        while self._delays:
            process = self._delays.pop()
            process.kill()
            process.wait(10)
            process.stdout.close()


def _wait_for(worker: Running) -> Running:
    wait_until(lambda: is_booted(worker), timeout_s=BOOT_S, what=f"a worker is ready\n{worker.log}")
    return worker


class RoamingClient(Client):
    """A client that begins each request at its own web command, and tries again at the other, as a balancer does."""

    urls: tuple[str, ...] = ()

    def settle(self, request: Request, patience_s: float = 120.0) -> Request:
        """Send a request, with the same key, until its outcome is known."""
        self.base_url = self.urls[0]
        return super().settle(request, patience_s)

    def _send(self, request: Request) -> None:
        super()._send(request)
        if request.status is None:
            self.base_url = self.urls[1 - self.urls.index(self.base_url)]


class HostWorkload(Workload):
    """Clients of two web commands: half of them begin at one, half at the other."""

    system: Hosts

    def client_of(self, account_id: str) -> Client:
        """Return a new client of an account."""
        made = super().client_of(account_id)
        urls = tuple(map(self.system.url_of, WEBS))
        client = RoamingClient(self.system.base_url, account_id, self.accounts[account_id], self.system.admin_token, 0)
        client.random = made.random
        client.urls = urls if self._client_count % 2 else urls[::-1]
        return client

    def add_pinned(self, host: str) -> Client:
        """Add a client that does not trade by itself, and uses one web command only."""
        client = super().client_of(next(iter(self.accounts)))
        client.base_url, client.is_idle = self.system.url_of(host), True
        self.clients.append(client)
        return client
