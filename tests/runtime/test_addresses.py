"""The hosts that servers bind, and the form of an address."""

import shutil
import socket
import subprocess
import sys

import pytest

import config
from runtime import addresses
from tests.support.processes import ROOT

PRINTED = "from runtime import addresses; print(addresses.all_interfaces())"


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_an_ipv4_address_is_written_as_one(given: str, plain: str) -> None:
    assert addresses.plain(given) == plain


def test_without_ipv6_there_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(family: int = socket.AF_INET, *_: object) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(addresses.socket, "socket", refuse)
    assert addresses.all_interfaces() == ["0.0.0.0"]
    assert addresses.this_machine() == ["127.0.0.1"]


def test_a_development_server_binds_this_machine_only() -> None:
    assert addresses.to_listen_on(config.load({}))[0] == "127.0.0.1"
    assert addresses.to_listen_on(config.load({"LISTEN_ON": "all"})) == addresses.all_interfaces()


@pytest.mark.parametrize(("only", "expected"), [("0", ["[::]"]), ("1", ["0.0.0.0", "[::]"])])
def test_where_ipv6_sockets_do_not_take_ipv4_there_are_two(only: str, expected: list[str]) -> None:
    unshare = shutil.which("unshare")
    setting = "/proc/sys/net/ipv6/bindv6only"
    command = [str(unshare), "-n", "sh", "-c", f"echo {only} > {setting} && exec {sys.executable} -c '{PRINTED}'"]
    if unshare is None or subprocess.run([unshare, "-n", "test", "-w", setting], capture_output=True).returncode:
        pytest.skip("a network namespace with settings of its own needs root, unshare and IPv6")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(expected)
