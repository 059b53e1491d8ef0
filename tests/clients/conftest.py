"""Clients of the package of clients/python, which talk to the real web process."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.proxy import HOST, Proxy, tcp_target
from tests.support.processes import Running
from tradepost_client import Client


@pytest.fixture
def connect_to(clean: None) -> Iterator[Callable[..., Client]]:
    """Return a function that makes a client: connect_to(web.base_url, token, patience_s=5)."""
    with contextlib.ExitStack() as stack:

        def make(url: str, token: str, **options: Any) -> Client:
            return stack.enter_context(Client(url, token, **options))

        yield make


@pytest.fixture
def proxy(web: Running) -> Iterator[Proxy]:
    """Return a proxy in front of the web process, which breaks what a test tells it to."""
    proxy = Proxy(tcp_target(web.port))
    yield proxy
    proxy.close()


@pytest.fixture
def broken_url(proxy: Proxy) -> str:
    """Return the address of that proxy."""
    return f"http://{HOST}:{proxy.port}"
