"""The folder where the processes of one machine keep their counts, a folder in it for each main process.

gunicorn's main process uses this. Its workers patch the standard library after their fork, which must not
have been used by others before: not even prometheus_client may be imported here.
"""

import os
import re
import shutil
from pathlib import Path

from config import ConfigurationError

OURS = re.compile(r"(?:web|worker)\.([1-9][0-9]{0,9})")


def make(base: Path, process: str, pid: int) -> Path:
    """Return the folder of a main process, having deleted those of processes that are dead.

    Raises ConfigurationError when it cannot be made, or somebody else has made the base folder, or a link in its
    place: everybody may write where it lies.
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
        raise ConfigurationError(f"METRICS_DIR: {error}") from None
    return folder


def forget_dead(folder: str, pid: int) -> None:
    """Delete what was true of a process only while it lived, as prometheus_client's mark_process_dead does."""
    for file in Path(folder).glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
