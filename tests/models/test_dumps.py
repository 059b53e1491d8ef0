"""The program of a dump: a newer pg_restore than the server sets parameters that the server does not know."""

from pathlib import Path

import pytest

from models.dumps import DumpFailed, _program


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a pg_restore of version 15 on the PATH, beside the wheel's newer one, and return its place."""
    program = tmp_path / "pg_restore"
    program.write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return program


def test_the_program_of_the_servers_version_is_preferred_and_the_newest_one_is_the_next_choice(on_path: Path) -> None:
    assert _program("pg_restore", 15) == on_path
    assert _program("pg_restore", 16) == _program("pg_restore", 18) != on_path
    with pytest.raises(DumpFailed, match="install postgresql-client-99"):
        _program("pg_restore", 99)
