"""A proxy that delays both ways, as a process: python -m tests.faults.distance HOST PORT SERVER_PORT SECONDS."""

import sys
import threading

from tests.faults.proxy import Proxy, tcp_target


def main() -> None:
    """Serve until killed; print a line once connections are taken."""
    host, port, server_port, delay_s = sys.argv[1:]
    proxy = Proxy(tcp_target(int(server_port)), host, int(port))
    proxy.delay_s = float(delay_s)
    print("listening", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
