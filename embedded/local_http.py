"""HTTP requests to servers of this machine, which ignore a proxy that the environment names."""

import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
open_url = _opener.open


def is_behind_proxy() -> bool:
    """Return True if the environment makes other programs, such as curl, use a proxy even for this machine."""
    proxies = urllib.request.getproxies_environment()
    return bool({"http", "all"} & proxies.keys()) and not urllib.request.proxy_bypass_environment("127.0.0.1", proxies)  # type: ignore[attr-defined]
