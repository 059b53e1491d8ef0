"""The settings that a worker process keeps at hand."""

import os
import runpy

from gunicorn.config import Config

import config
from serving.worker import keep_at_hand
from tests.support.processes import ROOT


def test_every_setting_has_its_value():
    settings, kept = Config(), Config()
    for one in (settings, kept):
        one.set("keepalive", 77)
    keep_at_hand(kept)
    assert vars(kept)["keepalive"] == 77
    assert [name for name in settings.settings if getattr(kept, name) != getattr(settings, name)] == []


def test_no_header_is_taken_from_a_peer_that_is_not_asked_for(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://localhost/x")
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setattr(config, "settings", lambda: config.load(os.environ))  # this process may have read them before
    ours = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert ours["forwarded_allow_ips"] == "*"
    assert not ours["forwarder_headers"]
    assert not ours["secure_scheme_headers"]
