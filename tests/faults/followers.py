"""Listeners that follow an account's stream through every fault, and remember its events."""

import contextlib
import threading

import websockets

from tests.faults.system import System
from tests.realtime.clients import Stream


class Follower:
    """Listens to one account, and resumes with `since` whenever its stream breaks."""

    def __init__(self, system: System, account_id: str, token: str, port: int | None = None) -> None:
        self.account_id = account_id
        self.problems: list[str] = []
        self.last = 0
        self.breaks = 0
        self._port, self._token = port or system.web_port, token
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException, AssertionError, ValueError):
                self._listen()
            self.breaks += 1
            self._stopping.wait(0.2)

    def _listen(self) -> None:
        with Stream(self._port, self._token, query=f"?since={self.last}") as stream:
            stream.ready()
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    self._hear(stream.next(1))

    def _hear(self, message: dict) -> None:
        if message["id"] != self.last + 1:
            self.problems.append(f"I6: event {message['id']} after {self.last} of {self.account_id}")
        if message["data"]["tradingAccountId"] != self.account_id:
            self.problems.append(f"I6: {self.account_id} heard of {message['data']['tradingAccountId']}")
        self.last = message["id"]
