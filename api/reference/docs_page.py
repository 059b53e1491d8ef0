"""The reference page: one page, built from the two documents, that loads nothing from other servers."""

import functools
import json
from typing import Any

import flask
from flask import Response, current_app, render_template
from markupsafe import Markup

from api.pages.assembly import assemble
from api.pages.files import html_page
from api.pages.static_files import static_version
from schemas.fields import MAX_IDENTIFIER

from . import asyncapi, problem_responses, sections
from .prose import prose
from .samples import samples

Document = dict[str, Any]

# Flask's own blueprint, so that the OpenAPI document does not list the page.
blueprint = flask.Blueprint("docs", __name__, template_folder="templates")
METHODS = ("get", "post", "put", "patch", "delete")
# JSON Schema's keywords of a range, with the unit.
RANGES = (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items"))


@blueprint.get("/docs")
def page() -> Response:
    """Serve the page."""
    return html_page(assemble(_rendered(current_app.extensions["documented_api"]), static_version()))


@functools.lru_cache(maxsize=1)
def _rendered(api: Any) -> str:
    document: Document = api.document
    return render_template(
        "docs.html",
        api=document,
        stream=asyncapi.document(),
        tags=[(tag, operations_of(document, tag["name"])) for tag in document["tags"]],
        introduction=sections.INTRODUCTION,
        sections=sections.SECTIONS,
        prose=prose,
        type_of=type_of,
        limits=limits,
        as_json=as_json,
        samples=samples,
        access=functools.partial(access, document),
        request_example=functools.partial(request_example, document),
        response_example=functools.partial(response_example, document),
        answers=answers,
        refusals=functools.partial(refusals, document),
        problems=problem_responses.meanings(),
    )


def operations_of(document: Document, tag: str) -> list[Document]:
    """Return a tag's operations, each with its method, its path and all its parameters."""
    return [
        item[method]
        | {"method": method.upper(), "path": path, "parameters": item["parameters"] + item[method]["parameters"]}
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and tag in item[method]["tags"]
    ]


def type_of(schema: Document) -> Markup:
    """Return the type of a schema in a few words, with links to named schemas."""
    if "$ref" in schema:
        return Markup('<a href="#schema-{0}">{0}</a>').format(_named(schema))
    if options := schema.get("anyOf", schema.get("oneOf")):
        return Markup(" or ").join(type_of(option) for option in options)
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    if "enum" in schema:
        return Markup(" · ").join(Markup("<code>{}</code>").format(word) for word in schema["enum"])
    kinds = schema.get("type", "anything")
    words = Markup(" or ").join(kinds if isinstance(kinds, list) else [kinds])
    if kinds == "array":
        return Markup("list of ") + type_of(schema["items"])
    return words + f" ({schema['format']})" if "format" in schema else words


def limits(schema: Document) -> str:
    """Return a schema's range and default."""
    words = []
    for lowest, highest, unit in RANGES:
        if schema.get(highest, MAX_IDENTIFIER) != MAX_IDENTIFIER:
            words.append(f"{schema.get(lowest, 'up')} to {schema[highest]}{unit}")
        elif schema.get(lowest):
            words.append(f"{schema[lowest]}{unit} or more")
    if schema.get("default") is not None:
        words.append(f"default {schema['default']}")
    return ", ".join(words)


def access(document: Document, operation: Document) -> str:
    """Return a sentence about the token or secret that an operation needs."""
    if not operation["security"]:
        return "Needs no token."
    ((scheme, _),) = operation["security"][0].items()
    if scheme != "token":
        words: str = document["components"]["securitySchemes"][scheme]["description"]
        return f"Needs as its bearer token: {words}"
    scopes = [f"`{scope}`" for entry in operation["security"] for scope in entry["token"]]
    return f"Needs a token with the scope {' or '.join(scopes)}." if scopes else "Needs a token, of any scope."


def as_json(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def request_example(document: Document, operation: Document) -> Any:
    """Return the example of an operation's body, or None if it takes no body."""
    return _example(document, operation.get("requestBody", {}))


def response_example(document: Document, operation: Document) -> tuple[str, Any] | None:
    """Return the status and the example of an operation's usual success: 202 before 200; or None without one."""
    answered = {status: _example(document, answer) for status, answer in operation["responses"].items() if status < "3"}
    return max(((status, example) for status, example in answered.items() if example is not None), default=None)


def answers(operation: Document) -> list[str]:
    """Return the statuses of an operation's responses that are no problems."""
    return [
        status
        for status, response in operation["responses"].items()
        if "$ref" not in response and "application/problem+json" not in response.get("content", {})
    ]


def refusals(document: Document, operation: Document) -> list[tuple[str, str]]:
    """Return the status and the code of each problem that an operation names itself."""
    found = []
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][_named(response)]
        examples = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
        found += [(status, code) for code in examples if status != "default"]
    return found


def _named(reference: Document) -> str:
    """Return the name that a reference ends with."""
    name: str = reference["$ref"].rpartition("/")[2]
    return name


def _example(document: Document, part: Document) -> Any:
    media = part.get("content", {}).get("application/json", {})
    if "schema" not in media:
        return None
    return media.get("example") or document["components"]["schemas"][_named(media["schema"])]["examples"][0]
