"""Hosts that are cut off from each other under load, and how long they take to recover."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

from tests.faults.checks import answered, drain, execution_times, find_leftovers, find_problems
from tests.faults.followers import Follower
from tests.faults.hosts import DATABASE, HOSTS, REDIS, WEBS, WORKERS, HostMachine, Hosts, HostWorkload
from tests.faults.workload import Client, Request
from tests.support.processes import wait_until

# Under load, beside everything else on this machine, a host that can be reached again works within this long.
RECOVERY_S = 15.0
# An order whose message travelled is executed within this long of its acceptance; one that waits for a sweep is later.
PROMPT_S = 0.3
PAUSE_S = 0.05  # of each client between two requests: the cut is tested, not this machine's speed
WAYS = ("both ways", "to the second", "to the first")
# Only a host with processes of ours speaks to a server; the other pairs have nothing to say to each other.
SPEAKING = tuple(product((*WEBS, *WORKERS), (DATABASE, REDIS)))
SILENT = tuple(pair for pair in combinations(HOSTS, 2) if pair not in SPEAKING)


class Cut(NamedTuple):
    """A pair of hosts, the ways that are cut, and for how long."""

    first: str
    second: str
    way: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.first}, {self.second}, {self.way}, {self.seconds:g} s"


@dataclass
class Outcome:
    """The answers and the times of the orders of one cut, and whatever did not hold."""

    cut: Cut
    answers: Counter[int | None]
    slowest_request_s: float
    executed: int
    p50_s: float
    p99_s: float
    longest_s: float
    recovery_s: float
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        others = {status: count for status, count in sorted(self.answers.items(), key=str) if status in (None, 503)}
        return (
            f"{self.cut}: recovered in {self.recovery_s:.2f} s; answers {sum(self.answers.values())}, of them {others},"
            f" the slowest after {self.slowest_request_s:.2f} s; {self.executed} executed, p50 {self.p50_s},"
            f" p99 {self.p99_s}, longest {self.longest_s} s; problems: {self.problems or 'none'}"
        )


class Cutter:
    """Tradepost on its hosts with clients and listeners at both web commands."""

    def __init__(self, system: Hosts, seed: int, clients: int = 6) -> None:
        self.system = system
        self.workload = HostWorkload(system, clients=clients, seed=seed)
        self._probes: dict[str, Client] = {host: self.workload.add_pinned(host) for host in WEBS}
        account_id, token = next(iter(self.workload.accounts.items()))
        ports = [system.doors[host].port for host in WEBS]
        self._followers = [Follower(system, account_id, token, port) for port in ports]

    def close(self) -> None:
        """End the listeners."""
        for follower in self._followers:
            follower.stop()

    def cut(self, cut: Cut, *more: Cut, executed: int = 0) -> Outcome:
        """Cut a pair under load, heal, wait until the first host does its work again, and check everything.

        More pairs are cut at the same time, and for as long. The load goes on until more than `executed` of its orders
        are executed: a busy machine takes longer for them than the cut lasts.
        """
        workload, network = self.workload, self.system.network
        with workload.running(PAUSE_S):
            time.sleep(1)
            since, before = str(self.system.sql("SELECT clock_timestamp()")[0][0]), self._counts()
            for sender, receiver in (pair for one in (cut, *more) for pair in _directions(one)):
                network.cut(sender, receiver)
            with self._asking(one.first for one in (cut, *more)):
                time.sleep(cut.seconds)
                network.heal()
            recovery_s = max(self._recovery_s(one.first) for one in (cut, *more))
            wait_until(lambda: execution_times(self.system, since)[0] > executed, timeout_s=60)
        problems = self._problems(recovery_s)
        times, requests = execution_times(self.system, since), self._requests_after(before)
        slowest_s = max((seconds for request in requests for seconds in request.seconds), default=0.0)
        return Outcome(cut, answered(requests), slowest_s, *times, recovery_s, problems)

    def cut_silent(self, seconds: float) -> list[str]:
        """Cut every pair of hosts that do not speak to each other; return what did not go on as ever."""
        workload, network = self.workload, self.system.network
        with workload.running(PAUSE_S):
            before = self._counts()
            for pair in SILENT:
                network.cut(*pair)
                network.cut(*pair[::-1])
            time.sleep(seconds)
            seen = answered(self._requests_after(before))
            network.heal()
        failed = [f"answers without a cut that matters: {seen}"] if seen[None] or seen[503] else []
        return failed + self._problems(0.0)

    @contextlib.contextmanager
    def _asking(self, hosts: Iterable[str]) -> Iterator[None]:
        """Let one more client place an order at each of these web commands, and wait for its outcome at the end."""
        asking = [threading.Thread(target=self._probes[host].place) for host in hosts if host in WEBS]
        for thread in asking:
            thread.start()
        yield
        for thread in asking:
            thread.join()

    def _counts(self) -> list[int]:
        return [len(client.requests) for client in self.workload.clients]

    def _requests_after(self, counts: list[int]) -> list[Request]:
        """Return the requests that each client began later, and the one that was under way."""
        pairs = zip(self.workload.clients, counts, strict=True)
        return [request for client, count in pairs for request in client.requests[max(0, count - 1) :]]

    def _recovery_s(self, host: str) -> float:
        """Wait until a web command's order is executed promptly, or a worker command executes one; return how long."""
        start = time.monotonic()
        if host in WEBS:
            works = lambda: self._is_prompt(self._probes[host])  # noqa: E731
        else:
            log = self.system.running[host].log_path
            seen = log.stat().st_size
            works = lambda: " executed " in _text_after(log, seen)  # noqa: E731
        with contextlib.suppress(AssertionError):
            wait_until(works, timeout_s=2 * RECOVERY_S)
        return time.monotonic() - start

    def _is_prompt(self, probe: Client) -> bool:
        request = probe.place()
        if request.answers != [202]:
            return False
        order_id = request.document["orderId"]
        query = "SELECT extract(epoch FROM executed_at - placed_at) FROM trading_order WHERE id = %s"
        found = lambda: self.system.sql(query, order_id)[0][0]  # noqa: E731
        return wait_until(lambda: found() is not None, timeout_s=RECOVERY_S) and found() < PROMPT_S

    def _problems(self, recovery_s: float) -> list[str]:
        problems = [f"not recovered within {RECOVERY_S:g} s"] if recovery_s > RECOVERY_S else []
        try:
            drain(self.system, timeout_s=30)
        except AssertionError as error:
            problems.append(str(error))
        problems += self.workload.failures + find_problems(self.system, self.workload) + find_leftovers(self.system)
        return problems + self._unheard()

    def _unheard(self) -> list[str]:
        """Return violations of I6: both listeners have heard every event of their account once."""
        last = dict(self.system.sql("SELECT id::text, last_event_id FROM account"))
        with contextlib.suppress(AssertionError):
            wait_until(lambda: all(one.last == last[one.account_id] for one in self._followers), timeout_s=15)
        return [
            f"I6: the listener at {host} heard {one.last} of {last[one.account_id]} events"
            for host, one in zip(WEBS, self._followers, strict=True)
            if one.last != last[one.account_id]
        ] + [problem for one in self._followers for problem in one.problems]


@contextlib.contextmanager
def cutter(machine: HostMachine, folder: Path, *, apart_ms: float, seed: int, clients: int = 6) -> Iterator[Cutter]:
    """Start two web and two worker commands, each on its host, and end them."""
    folder.mkdir(exist_ok=True)
    machine.start()
    system = Hosts(machine, folder, apart_ms=apart_ms)
    try:
        cutter = Cutter(system.start(), seed, clients)
        try:
            yield cutter
        finally:
            cutter.close()
    finally:
        system.close()


def _directions(cut: Cut) -> list[tuple[str, str]]:
    there, back = (cut.first, cut.second), (cut.second, cut.first)
    return {"both ways": [there, back], "to the second": [there], "to the first": [back]}[cut.way]


def _text_after(path: Path, start: int) -> str:
    with open(path, errors="replace") as log:
        log.seek(start)
        return log.read()
