"""Sessions of official clients in processes of their own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.kite_clients import JAVASCRIPT, PYTHON, NoClientError, javascript_folder, python_path
from tests.support.trading import hold
from tests.trading.settlement.days import let_days_pass
from trading.accounts import administration, tokens

FOLDER = Path(__file__).with_name("programs")
PROGRAMS = {"python": FOLDER / "session.py", "javascript": FOLDER / "session.mjs"}
BALANCE = Decimal("1000000.00")
# The exceptions that the client in Python has; of others it makes its GeneralException.
PYTHON_EXCEPTIONS = {
    "DataException",
    "GeneralException",
    "InputException",
    "NetworkException",
    "OrderException",
    "PermissionException",
    "TokenException",
}


class Client(NamedTuple):
    """A version of an official client."""

    language: str
    version: str

    def __str__(self) -> str:
        return f"{self.language}-{self.version}"


CLIENTS = [Client("python", version) for version in PYTHON] + [Client("javascript", one) for one in JAVASCRIPT]


@dataclass
class Session:
    """The session of a client: what it saw while it traded, and what its ticker told it."""

    client: Client
    process: "subprocess.Popen[str] | None" = None
    reason: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, Any] = field(default_factory=dict)
    listened_s: float = 0.0

    def __getitem__(self, name: str) -> Any:
        """Return what a call of the session returned."""
        value = self.seen[name]
        assert not is_refusal(value), f"{self.client}: {name}: {value}"
        return value

    def refusal(self, name: str, error_type: str, status: int = 400) -> str:
        """Return the message of a call that was refused with a type and a status."""
        value = self.seen[name]
        assert is_refusal(value), f"{self.client}: {name}: {value}"
        if self.client.language == "javascript":  # which tells no status
            assert value["error"] == error_type, value
        else:
            known = error_type if error_type in PYTHON_EXCEPTIONS else "GeneralException"
            assert (value["error"], value["code"]) == (known, status), value
        return str(value["message"])

    def read_trading(self) -> None:
        """Read what the client saw while it traded."""
        self.seen = self._read()

    def read_listening(self) -> None:
        """Read what the ticker told the client, and wait for the end of its process."""
        self.heard = self._read()
        assert self.process is not None
        assert self.process.wait(20) == 0

    def say_next(self) -> None:
        """Let the process go on."""
        assert self.process is not None
        assert self.process.stdin is not None
        print(file=self.process.stdin, flush=True)

    def stop(self) -> None:
        """Kill the process, if it still runs."""
        if self.process is not None:
            with self.process:  # which closes its pipes and waits
                self.process.kill()

    def _read(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{self.client} has ended with {self.process.wait(20)}"
        return dict(json.loads(line))


def is_refusal(value: Any) -> bool:
    """Return True if a call of a session was refused."""
    return isinstance(value, dict) and value.keys() == {"error", "code", "message"}


def names(text: str) -> set[str]:
    """Return the names of a text that blanks separate."""
    return set(text.split())


def as_day(text: str) -> date:
    """Return the day of a time that a client has parsed."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).date()


def open_accounts(clients: list[Client]) -> dict[Client, str]:
    """Open an account for each client, which holds five shares of an earlier day, and return a token of each."""
    accounts = {client: administration.create_account(str(client), BALANCE)["id"] for client in clients}
    for account_id in accounts.values():
        hold(account_id, "BUY", 5, "2900.00", symbol="TCS", product="DELIVERY")
        administration.change_account(account_id, {"fill_model": "QUOTES"})
    let_days_pass(3)  # after which the shares have settled
    return {client: tokens.create_token(["trade", "read"], account_id=one)[1] for client, one in accounts.items()}


def start(client: Client, instructions: dict[str, Any]) -> Session:
    """Start the session of a client, unless it cannot be installed here."""
    try:
        command, environment, folder = command_of(client, PROGRAMS[client.language])
    except NoClientError as error:
        return Session(client, reason=str(error))
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, env=environment, text=True, **pipes)
    assert process.stdin is not None
    print(json.dumps(instructions | {"client": folder}), file=process.stdin, flush=True)
    return Session(client, process)


def command_of(client: Client, program: Path) -> tuple[list[str], dict[str, str], str]:
    """Return the command of a program with a client, its environment, and the folder of a client in JavaScript."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "Asia/Kolkata"}
    if client.language == "python":
        return [sys.executable, "-S", str(program)], environment | {"PYTHONPATH": python_path(client.version)}, ""
    return ["node", str(program)], environment, str(javascript_folder(client.version))
