"""Read bodies and queries strictly: decimals exactly, no unknown or repeated keys, no 500 for any bytes."""

import functools
import json
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast
from wsgiref.types import WSGIEnvironment

import flask_smorest
from flask import Request, request
from gunicorn.http.errors import ParseException
from marshmallow import Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from runtime.timing import stopwatch
from schemas.fields import NumberLiteral

from .description import note
from .errors import HttpRefusal, invalid, too_large

View = TypeVar("View", bound=Callable[..., Any])

MAX_BODY_SIZE = 64 * 1024
MAX_INTEGER_LENGTH = 30
JSON = "application/json"
BODY = "tradepost.body"  # the key of a request's environment for the body, once it is read


class StrictParser(FlaskParser):
    """A parser that gives a schema either the JSON body or the query string.

    It refuses the other one, unless another parser of the route reads it.
    """

    def __init__(
        self,
        max_body_size: int = MAX_BODY_SIZE,
        *,
        is_alone: bool = True,
        is_required: bool = True,
        lists: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.max_body_size = max_body_size
        self.lists = lists
        self.is_alone = is_alone
        self.is_required = is_required

    def parse(self, argmap: Any, req: Request | None = None, *, location: str | None = None, **_: Any) -> Any:
        """Return the data that the schema loads from the request, or refuse."""
        del req  # always Flask's current request
        if location == "query":
            unknown = _unknown_members() if self.is_alone else {}
            parameters, repeated = read_query(self.lists)
            return load(argmap, parameters, unknown | repeated)
        with stopwatch().step("parse"):
            body = read_json(self.max_body_size) if self.is_required or read_body(self.max_body_size) else {}
        with stopwatch().step("schema"):
            return load(argmap, body, _unknown_parameters() if self.is_alone else {})


class Blueprint(flask_smorest.Blueprint):
    """A blueprint that reads requests strictly.

    flask-smorest's own decorators only describe the routes: at each request its layers would cost
    as much as reading the body does, and the views return finished responses.
    """

    ARGUMENTS_PARSER = StrictParser()

    # The types of Flask's decorators, which return the view itself; flask-smorest has no types.
    get: Callable[..., Callable[[View], View]]
    post: Callable[..., Callable[[View], View]]
    put: Callable[..., Callable[[View], View]]
    patch: Callable[..., Callable[[View], View]]
    delete: Callable[..., Callable[[View], View]]

    def arguments(
        self,
        schema: Schema,
        *,
        location: str = "json",
        max_body_size: int = MAX_BODY_SIZE,
        is_alone: bool = True,
        required: bool = True,
        **options: Any,
    ) -> Callable[[View], View]:
        """Pass the data that the schema loads from the request to the view as its first argument.

        A route that reads both the query and a body says of each that it is not alone. Without `required` the body may
        be left out.
        """
        describe = super().arguments(schema, location=location, required=required, **options)
        lists = {field.data_key or name for name, field in schema.fields.items() if isinstance(field, fields.List)}
        parser = StrictParser(max_body_size, is_alone=is_alone, is_required=required, lists=lists)

        def decorate(view: View) -> View:
            reading: Any = parser.use_args(schema, location=location)(view)
            reading._apidoc = cast(Any, describe(view))._apidoc
            return cast(View, reading)

        return decorate

    def response(self, status_code: int, schema: Schema | None = None, **options: Any) -> Callable[[View], View]:
        """Describe a response of the view."""
        describe = super().response(status_code, schema, **options)

        def decorate(view: View) -> View:
            cast(Any, view)._apidoc = cast(Any, describe(view))._apidoc
            name = view.__name__.title().replace("_", "")
            return note(view, operationId=f"{self.name}{name}")

        return decorate


def load(schema: Schema, data: Any, errors: dict[str, list[str]]) -> Any:
    """Return the data that the schema loads; refuse data that does not fit it, and all data if there are `errors`."""
    try:
        loaded = schema.load(data)
    except ValidationError as error:
        raise invalid({**cast(dict[str, Any], error.messages), **errors}) from None
    if errors:
        raise invalid(errors)
    return loaded


def read_query(lists: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the query's parameters, and an error for each one that is given more than once.

    The parameters named in `lists` may be, and are lists of their values.
    """
    given = dict(request.args.lists())
    repeated = {
        name: ["Given more than once."] for name, values in given.items() if len(values) > 1 and name not in lists
    }
    return {name: values if name in lists else values[0] for name, values in given.items()}, repeated


def read_body(max_size: int = MAX_BODY_SIZE) -> bytes:
    """Return the whole body; refuse one that is too large or incomplete."""
    return _body_of(request.environ, max_size)


def _body_of(environ: WSGIEnvironment, max_size: int) -> bytes:
    if BODY not in environ:
        environ[BODY] = _received(environ, max_size)
    raw: bytes = environ[BODY]
    if len(raw) > max_size:
        raise too_large(max_size)
    return raw


def _received(environ: WSGIEnvironment, max_size: int) -> bytes:
    given = environ.get("CONTENT_LENGTH", "")
    length = int(given) if given.isdecimal() and len(given) < 10 and "HTTP_TRANSFER_ENCODING" not in environ else 0
    try:
        raw: bytes = environ["wsgi.input"].read(length) if 0 < length <= max_size else _stream(max_size)
    except OSError:  # the connection broke
        raise HttpRefusal("bad_request") from None
    # gunicorn returns the bytes that came before a connection broke.
    if len(raw) < length:
        raise HttpRefusal("bad_request", "The body is shorter than its Content-Length.")
    return raw


def _stream(max_size: int) -> bytes:
    """Return a body of unknown length, or refuse one that is too large, in werkzeug's way."""
    # werkzeug refuses a larger Content-Length, but truncates a larger chunked body without an error: one byte
    # more than allowed shows it.
    request.max_content_length = max_size + 1
    try:
        return request.get_data()
    except ParseException:
        raise HttpRefusal("bad_request", "The chunked encoding of the body is malformed.") from None
    except RequestEntityTooLarge:
        raise too_large(max_size) from None


def read_json(max_size: int = MAX_BODY_SIZE) -> dict[str, Any]:
    """Return the JSON object of the body, or refuse a body that is not one."""
    environ = request.environ
    raw = _body_of(environ, max_size)
    if raw and environ.get("CONTENT_TYPE") != JSON and request.mimetype != JSON:
        raise HttpRefusal("unsupported_media_type")
    if (environ.get("HTTP_CONTENT_ENCODING") or "identity").lower() != "identity":
        detail = "The body must not be compressed: the only accepted Content-Encoding is identity."
        # RFC 9110, section 15.5.16: this header tells the client that the encoding is refused, not the type.
        raise HttpRefusal("unsupported_media_type", detail, headers={"Accept-Encoding": "identity"})
    if not raw:
        raise HttpRefusal("malformed_json", "The body is missing: a JSON object is required.")
    try:
        body = _decode(raw.decode())
    except RepeatedKey as error:
        raise invalid({str(error): ["Given more than once."]}) from None
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested too deeply
        raise HttpRefusal("malformed_json") from None
    if not isinstance(body, dict):
        raise invalid({"body": ["Must be a JSON object."]})
    return body


def takes_no_query(view: View) -> View:
    """Refuse every query parameter and every member of a body; for a route that takes neither."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if errors := _unknown_members() | _unknown_parameters():
            raise invalid(errors)
        return view(*args, **kwargs)

    return cast(View, checked)


def _unknown_parameters() -> dict[str, list[str]]:
    """Return an error for each query parameter; for a route that takes none."""
    return {name: ["Unknown parameter."] for name in request.args} if request.environ.get("QUERY_STRING") else {}


def _unknown_members() -> dict[str, list[str]]:
    """Return an error for each member of the body; for a route that takes none."""
    with stopwatch().step("parse"):
        return {name: ["Unknown field."] for name in read_json()} if read_body() else {}


class RepeatedKey(Exception):
    """A JSON object contains the same key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        raise RepeatedKey(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    return document


def _integer(text: str) -> int | NumberLiteral:
    # Python refuses to read more than 4,300 digits; every field takes far fewer.
    return int(text) if len(text) <= MAX_INTEGER_LENGTH else NumberLiteral(text)


_decode: Callable[[str], Any] = json.JSONDecoder(
    parse_float=NumberLiteral, parse_int=_integer, parse_constant=NumberLiteral, object_pairs_hook=_object
).decode
