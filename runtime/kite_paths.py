"""The paths of Kite Connect's clients, none of which is a path of the first door."""

PREFIX = "/kite"
# The first segments of Kite Connect's paths (version 3; its documentation was read 2026-11).
SEGMENTS = frozenset(
    (
        "session",
        "user",
        "orders",
        "trades",
        "portfolio",
        "instruments",
        "quote",
        "margins",
        "charges",
        "gtt",
        "mf",
        "alerts",
    )
)


def is_kites(target: str) -> bool:
    """Return True if the target of a request, a path with its query, is one that only clients of Kite ask for."""
    path, _, query = target.partition("?")
    if path == "/":
        return "api_key=" in query
    segment = path.split("/", 2)[1] if path.startswith("/") else ""
    return segment in SEGMENTS or segment == PREFIX[1:]
