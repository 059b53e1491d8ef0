"""The folder where the processes of one machine keep their counts, a folder in it for each main process.

gunicorn's main process uses this. Its workers patch the standard library after their fork, which must not
have been used by others before: not even prometheus_client may be imported here.
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
    """Return the folder of a main process, having deleted those of processes that are dead.

    Where there is no room for it, it is missing: its processes go on, and say that their counts are incomplete.
    Raises ConfigurationError when it cannot be made for another reason, or somebody else has made the base folder,
    or a link in its place: everybody may write where it lies.
    """
    folder = base / f"{process}.{pid}"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if base.is_symlink() or base.stat().st_uid != os.getuid():
            raise ConfigurationError(f"METRICS_DIR: {base} is a link, or belongs to somebody else")
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
    """Return the empty file which says that a process has counts for which its files have no room."""
    return Path(folder) / f"uncounted_{pid}"


def uncounted_notes(base: Path, process: str) -> int:
    """Return how many processes of a kind say that they have such counts."""
    try:
        return len(list(base.glob(f"{process}.*/uncounted_*")))
    except FileNotFoundError:  # the folder of a dead process, just deleted
        return 0


def forget_dead(folder: str, pid: int) -> None:
    """Delete what was true of a process only while it lived, as prometheus_client's mark_process_dead does."""
    with contextlib.suppress(OSError):  # the main process must not end for it
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
