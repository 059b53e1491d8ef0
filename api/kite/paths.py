"""Find the requests of Kite Connect's clients, wherever they ask, and lead them to the paths under /kite."""

from collections.abc import Iterable
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from runtime.kite_paths import PREFIX, SEGMENTS

TICKER = f"{PREFIX}/ticker"
VERSION = "x-kite-version"


class KitePaths:
    """Middleware that puts /kite before the path of a request that only a client of Kite Connect sends.

    The Python client drops a path in its root address, so that its requests arrive without the prefix.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request under the path that it means."""
        path = environ["PATH_INFO"]
        if path in ("/", "", PREFIX, f"{PREFIX}/"):
            if _is_ticker(environ):
                environ["PATH_INFO"] = TICKER
        elif path.startswith("/") and path.split("/", 2)[1] in SEGMENTS and _is_kite(environ, path):
            environ["PATH_INFO"] = PREFIX + path
        return self.application(environ, start_response)


def _is_kite(environ: WSGIEnvironment, path: str) -> bool:
    """Return True if the request has the header of Kite's clients, announces it, or fetches the list of instruments.

    Bots fetch the list without the header, and a browser names the header in its preflight.
    """
    if "HTTP_X_KITE_VERSION" in environ:
        return True
    if environ["REQUEST_METHOD"] in ("GET", "HEAD") and (path == "/instruments" or path.startswith("/instruments/")):
        return True
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    return VERSION in [name.strip().lower() for name in asked.split(",")]


def _is_ticker(environ: WSGIEnvironment) -> bool:
    """Return True if the request opens a websocket with an api_key in its query."""
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
        return False
    try:
        return "api_key" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return False
