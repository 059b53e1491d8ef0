"""Hosts that are network namespaces of this machine, with a router between them that cuts one off from another."""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import uuid4

NAMESPACES = "/run/netns"
Result = TypeVar("Result")


class Network:
    """Hosts, each with a namespace, an address and a cable to the router, which is a namespace, too."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.addresses = {host: f"10.77.{number}.2" for number, host in enumerate(hosts, 1)}
        prefix = f"tp-{uuid4().hex[:8]}"
        self._router = f"{prefix}-router"
        self._spaces = {host: f"{prefix}-{host}" for host in hosts}
        self._cuts: list[tuple[str, str]] = []
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def inside(self, host: str, work: Callable[[], Result]) -> Result:
        """Return the result of work done on a host: its sockets, threads and processes belong to the host's network."""
        with ThreadPoolExecutor(1, initializer=_enter, initargs=(self._spaces[host],)) as thread:
            return thread.submit(work).result()

    def door(self, host: str, port: int) -> Callable[[], socket.socket]:
        """Return a function that connects to a port of a host, past the network between the hosts."""

        def connect() -> socket.socket:
            sock = self.inside(host, lambda: socket.create_connection(("127.0.0.1", port), timeout=5))
            sock.settimeout(None)
            return sock

        return connect

    def cut(self, sender: str, receiver: str) -> None:
        """Drop every packet from one host to another, without a word to either; those of the other way arrive."""
        self._rule("add", sender, receiver)
        self._cuts.append((sender, receiver))

    def heal(self) -> None:
        """Let every packet pass."""
        while self._cuts:
            self._rule("del", *self._cuts.pop())

    def delay(self, host: str, seconds: float) -> bool:
        """Delay each packet to and from a host; return False if this kernel cannot."""
        qdisc = f"root netem delay {seconds * 1e6:.0f}us limit 100000"
        with contextlib.suppress(subprocess.CalledProcessError):
            run(f"tc -n {self._spaces[host]} qdisc replace dev wire {qdisc}")
            run(f"tc -n {self._router} qdisc replace dev {self._cable(host)} {qdisc}")
            return True
        return False

    def close(self) -> None:
        """Remove the hosts and the router."""
        for space in (self._router, *self._spaces.values()):
            with contextlib.suppress(subprocess.CalledProcessError):
                run(f"ip netns del {space}")

    def _make(self) -> None:
        run(f"ip netns add {self._router}")
        self._switch_on_forwarding()
        for host, space in self._spaces.items():
            gateway, cable = self.addresses[host].removesuffix("2") + "1", self._cable(host)
            run(f"ip netns add {space}")
            run(f"ip -n {self._router} link add {cable} type veth peer name wire netns {space}")
            run(f"ip -n {self._router} addr add {gateway}/24 dev {cable}")
            run(f"ip -n {self._router} link set {cable} up")
            run(f"ip -n {space} addr add {self.addresses[host]}/24 dev wire")
            for name in ("lo", "wire"):
                run(f"ip -n {space} link set {name} up")
            run(f"ip -n {space} route add default via {gateway}")

    def _switch_on_forwarding(self) -> None:
        # /proc/sys/net shows the network of the thread that reads it.
        with ThreadPoolExecutor(1, initializer=_enter, initargs=(self._router,)) as thread:
            thread.submit(_write, "/proc/sys/net/ipv4/ip_forward", "1").result()

    def _rule(self, what: str, sender: str, receiver: str) -> None:
        run(f"ip -n {self._router} rule {what} from {self.addresses[sender]} to {self.addresses[receiver]} blackhole")

    def _cable(self, host: str) -> str:
        return f"to-{host}"


def missing_right() -> str | None:
    """Return the reason why this process cannot make such hosts, None if it can."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "hosts of their own need root and Debian's iproute2"
    try:
        network = Network(("a", "b"))
    except (subprocess.CalledProcessError, OSError) as error:
        return f"this system makes no network namespaces: {getattr(error, 'stderr', '') or error}"
    try:
        network.cut("a", "b")
    except subprocess.CalledProcessError as error:
        return f"this kernel cuts no route: {error.stderr}"
    finally:
        network.close()
    return None


def run(command: str) -> None:
    """Run a command without a shell; raise CalledProcessError with its words if it fails."""
    subprocess.run(command.split(), check=True, capture_output=True, text=True, timeout=20)


def _enter(space: str) -> None:
    """Move this thread into a namespace; what it starts is born there. (os.setns came with Python 3.12.)"""
    descriptor = os.open(f"{NAMESPACES}/{space}", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
            raise OSError(ctypes.get_errno(), f"cannot enter the network of {space}")
    finally:
        os.close(descriptor)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
