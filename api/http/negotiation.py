"""Choose the representation of a response by the request's Accept (RFC 9110, section 12.5.1)."""

from flask import request

JSON = "application/json"


def prefers(media_type: str) -> bool:
    """Return True if the request would rather have this type than JSON, which is the default.

    Of equal ones JSON is chosen. Parameters of a range are ignored: `text/csv; charset=utf-8` means `text/csv`.
    """
    return quality(media_type) > quality(JSON)


def quality(media_type: str) -> float:
    """Return the weight that Accept gives a type, by the most specific of its ranges; 0 if there is none."""
    family = media_type.partition("/")[0]
    found = dict.fromkeys((media_type, f"{family}/*", "*/*"), -1.0)
    for given, weight in request.accept_mimetypes:
        name = given.partition(";")[0].strip().lower()
        if name in found:
            found[name] = max(found[name], weight)
    return next((weight for weight in found.values() if weight >= 0), 0.0)
