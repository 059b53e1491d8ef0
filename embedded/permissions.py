"""The permissions that let a system user run the database server if this process is root, and no more than needed."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

SERVER_USER = "pgserver"


def ensure_server_user() -> str:
    """Return the name of the system user that runs the server, and create the user if missing (needs root)."""
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--shell", "/bin/false", SERVER_USER], check=True, capture_output=True)
    return SERVER_USER


def give_to(user: str, *folders: Path) -> None:
    """Make these folders private to the user, and let the user pass through their parents."""
    entry = pwd.getpwnam(user)
    for folder in folders:
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        folder.chmod(0o700)
        _make_passable(folder.parent)


def allow_programs(user: str, program: Path) -> None:
    """Let the user run the program and read its libraries."""
    if _can_run(user, program):
        return
    _make_passable(program.parent)
    for path in program.parent.parent.rglob("*"):
        mode = path.stat().st_mode
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)


def _can_run(user: str, program: Path) -> bool:
    command = [str(program), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, user=user, group=user, extra_groups=[], cwd="/")
    except OSError:
        return False
    return done.returncode == 0


def _make_passable(folder: Path) -> None:
    """Allow others to pass through, but not to list, the folder and its parents."""
    for place in (folder, *folder.parents):
        mode = place.stat().st_mode
        if not mode & stat.S_IXOTH:
            place.chmod(mode | stat.S_IXOTH)
