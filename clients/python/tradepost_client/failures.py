"""The failures of requests as exceptions; `problems` has those for the codes of problem documents."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, get_type_hints

from .json_shapes import camel_case, read_value


class TradepostError(Exception):
    """The base of all exceptions of this package."""


class NoToken(TradepostError):
    """No token was given, neither as an argument nor in TRADEPOST_TOKEN."""


class NoAnswer(TradepostError):
    """The service has not answered; `may_have_happened` tells if the request may have been carried out all the same.

    A request with an `idempotency_key` can be sent again with it: it is carried out once.
    """

    def __init__(self, message: str, *, may_have_happened: bool, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.may_have_happened = may_have_happened
        self.idempotency_key = idempotency_key


class UnexpectedAnswer(TradepostError):
    """The answer is not one of this API: another service answers at this address, or a proxy in front of it."""


class NotFinal(TradepostError, TimeoutError):
    """The order was not final in time."""


class StreamRefused(TradepostError):
    """The stream was closed for a reason that a new connection would not remove."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(f"the stream was closed with {close_code}: {reason or 'no reason was given'}")
        self.close_code = close_code


class StreamClosed(TradepostError):
    """The program has closed the stream; an iteration over it ends without this exception."""


class Problem(TradepostError):
    """A refusal or failure that the service has described; `members` has all of the document.

    The members of a code are attributes of its class. A code that this package does not know is a Problem.
    """

    of_code: ClassVar[dict[str, type["Problem"]]] = {}
    code = ""
    status: int
    title: str
    detail: str

    def __init_subclass__(cls, *, code: str) -> None:
        cls.code = code
        cls.of_code[code] = cls

    def __init__(self, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self.members = dict(document)
        self.code = str(document.get("code", self.code))
        self.request_id = (headers or {}).get("x-request-id")
        for name, kind in get_type_hints(type(self)).items():
            if name not in ("of_code", "code"):
                setattr(self, name, read_value(kind, document.get(camel_case(name))))
        super().__init__(f"{self.code}: {self.detail}" + _reasons(document.get("errors")))

    @classmethod
    def of_document(cls, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> "Problem":
        """Return the exception for a problem document."""
        return cls.of_code.get(document["code"], Problem)(document, headers)


def problem_of(content: bytes | str, headers: Mapping[str, str] | None = None) -> Problem | None:
    """Return the exception of a problem document, or None if the text is none."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return None
    return Problem.of_document(document, headers)


def _reasons(errors: Any) -> str:
    if not isinstance(errors, dict):
        return ""
    return " " + " ".join(f"{field}: {' '.join(map(str, messages))}" for field, messages in errors.items())
