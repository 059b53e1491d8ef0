"""The folder of the counts of one machine's processes, with a folder in it for each main process.

gunicorn's main process uses this module. Its workers patch the standard library after their fork, and no library may
have used it before that: not even prometheus_client may be imported here.
"""

import contextlib
import errno
import os
import re
import shutil
from pathlib import Path

from config import ConfigurationError

OURS = re.compile(r"(?:web|worker)\.([1-9][0-9]{0,9})")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def make(base: Path, process: str, pid: int) -> Path:
    """Create and return the folder of a main process, and delete the folders of dead processes.

    On a full disk the folder is missing: its processes go on and report that their counts are incomplete.
    Raises ConfigurationError if it cannot be created for another reason, or if the base folder is a link or belongs
    to another user: everybody may write to its parent.
    """
    folder = base / f"{process}.{pid}"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if base.is_symlink() or base.stat().st_uid != os.getuid():
            raise ConfigurationError(f"METRICS_DIR: {base} is a link or belongs to another user")
        for other in base.iterdir():
            name = OURS.fullmatch(other.name)
            if name is not None and not _is_alive(int(name[1])):
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(exist_ok=True)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise ConfigurationError(f"METRICS_DIR: {error}") from None
    return folder


def uncounted_note(folder: str | Path, pid: int) -> Path:
    """Return the path of the empty file that marks a process whose counts do not fit into its files."""
    return Path(folder) / f"uncounted_{pid}"


def uncounted_notes(base: Path, process: str) -> int:
    """Return the number of processes of a kind that are marked so."""
    try:
        return len(list(base.glob(f"{process}.*/uncounted_*")))
    except FileNotFoundError:  # the folder of a dead process, just deleted
        return 0


def forget_dead(folder: str, pid: int) -> None:
    """Delete the gauges of a dead process, as prometheus_client's mark_process_dead does."""
    with contextlib.suppress(OSError):  # a failure must not end the main process
        for file in [*Path(folder).glob(f"gauge_live*_{pid}.db"), uncounted_note(folder, pid)]:
            file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
