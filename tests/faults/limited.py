"""A web command that may open few files, and clients that use all of them."""

import resource
import shlex
import socket
from typing import Any

import pytest
import requests
from honcho.environ import parse_procfile

from tests.faults.system import BOOT_S, System
from tests.support.metrics import Metrics
from tests.support.processes import ROOT, Running

TOO_MANY_FILES = "Too many open files"


def raise_own_limit(needed: int) -> None:
    """Allow this process as many descriptors as a crowd of clients takes, or skip the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"the crowd of clients needs {needed} open files, and {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


class LimitedWeb:
    """The web command of a system under limits that the shell sets, such as `ulimit -n 512`, and one account."""

    def __init__(self, system: System, limits: str, **settings: str) -> None:
        self.port = system.web_port
        procfile = parse_procfile((ROOT / "Procfile").read_text()).processes
        command = "sh -c " + shlex.quote(f"{limits}; exec {dict(procfile)['web']}")
        environment = {**system.starter.environment, "PORT": str(self.port), **settings}
        self.running = Running(command, environment, system.starter.folder / "limited.log", self.port)
        system.starter.started.append(self.running)  # which ends it
        self.running.wait_until_ready(BOOT_S)
        self.url = self.running.base_url
        admin = {"Authorization": f"Bearer {system.admin_token}"}
        made = requests.post(
            f"{self.url}/api/admin/accounts",
            json={"name": "Limited", "openingBalance": "1000000.00"},
            headers=admin,
            timeout=20,
        ).json()
        path = f"/api/admin/accounts/{made['tradingAccountId']}/tokens"
        body = {"scopes": ["trade", "read"]}
        self.token = requests.post(f"{self.url}{path}", json=body, headers=admin, timeout=20).json()["token"]

    def connect(self, data: bytes = b"") -> socket.socket:
        """Open a connection and send some bytes."""
        link = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        link.sendall(data)
        return link

    def get(self, path: str) -> requests.Response:
        """Ask on a connection of its own."""
        return requests.get(f"{self.url}{path}", timeout=20)

    def place(self) -> requests.Response:
        """Place an order on a connection of its own."""
        order = {
            "exchange": "NSE",
            "symbol": "TCS",
            "side": "BUY",
            "quantity": 1,
            "orderType": "LIMIT",
            "price": "1.00",
        }
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.url}/api/trading/orders", json=order, headers=headers, timeout=20)

    def metric(self, name: str, **labels: Any) -> float:
        """Return the sum of a metric of the web process."""
        return Metrics(self.get("/metrics").text)(name, **labels)

    def works(self) -> bool:
        """Return True if health checks and placements are answered as usual."""
        answers = [self.get("/health/live"), self.get("/health/ready"), self.place()]
        return [answer.status_code for answer in answers] == [200, 200, 202]
