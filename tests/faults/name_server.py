"""A name server that may fall silent, and processes that ask no other one."""

import contextlib
import os
import random
import shlex
import shutil
import socket
import threading
from pathlib import Path

import pytest


class NameServer:
    """A server that answers questions for IPv4 addresses, valid for a second; other names do not exist."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0 or not shutil.which("unshare"):
            pytest.skip("a name server on port 53, and processes that ask it, need root and unshare")
        self.addresses: dict[str, str] = {}
        self.is_silent = False
        self.asked = 0
        self._host = f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"  # other tests may have one too
        self._resolv_conf = folder / "resolv.conf"
        self._resolv_conf.write_text(f"nameserver {self._host}\n")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self._host, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def prefix(self) -> str:
        """Return the prefix of a command whose processes ask this name server."""
        script = f'mount --bind {shlex.quote(str(self._resolv_conf))} /etc/resolv.conf && exec "$@"'
        return f"unshare --mount sh -ec {shlex.quote(script)} sh "

    def close(self) -> None:
        """Stop the server; shutdown wakes the thread that waits in a system call, close alone does not."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, client = self._socket.recvfrom(512)
            except OSError:
                return
            if not question:  # the end
                return
            self.asked += 1
            if not self.is_silent:
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        """Return the answer of RFC 1035 to one question."""
        labels, place = [], 12
        while length := question[place]:
            labels.append(question[place + 1 : place + 1 + length].decode())
            place += 1 + length
        asked = question[12 : place + 5]
        address = self.addresses.get(".".join(labels).lower())
        is_ipv4 = asked[-4:] == b"\x00\x01\x00\x01"
        record, flags = b"", b"\x81\x83" if address is None else b"\x81\x80"
        if address is not None and is_ipv4:  # the name as a pointer to the question's, IN A, a second, four bytes
            record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(address)
        counts = b"\x00\x01" + (b"\x00\x01" if record else b"\x00\x00") + bytes(4)
        return question[:2] + flags + counts + asked + record
