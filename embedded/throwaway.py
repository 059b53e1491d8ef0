"""A PostgreSQL for one command: it prints its URL, waits until its standard input ends, and is deleted.

The command that starts it holds the other end of the input, so that the server ends with the command, however that
ends.
"""

import sys
import tempfile
from pathlib import Path

from embedded.interruption import Interruption
from embedded.postgres import Postgres
from embedded.programs import ServerError

# Nothing has to survive, and no work of the server's own may disturb the command's.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def main() -> int:
    """Run the server; print one line on standard error and return 1 if it does not start."""
    Interruption().ignore()
    server = Postgres(Path(tempfile.mkdtemp(prefix="tradepost-throwaway-")), durable=False, settings=SETTINGS)
    try:
        server.start()
        print(server.url(), flush=True)
        sys.stdin.read()
    except ServerError as error:
        print(f"tradepost: {error}", file=sys.stderr)
        return 1
    finally:
        server.stop(mode="immediate")
        server.delete()
    return 0


if __name__ == "__main__":
    sys.exit(main())
