"""Ask a server of this machine over HTTP, whatever proxy the environment names for the rest of the world."""

import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
open_url = _opener.open


def is_behind_proxy() -> bool:
    """Return True if the environment sends other programs, such as curl, to a proxy even for this machine."""
    proxies = urllib.request.getproxies_environment()
    return bool({"http", "all"} & proxies.keys()) and not urllib.request.proxy_bypass_environment("127.0.0.1", proxies)  # type: ignore[attr-defined]
