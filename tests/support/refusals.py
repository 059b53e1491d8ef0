"""Hold every refusal that any test gets against the OpenAPI document."""

import functools
import re
from typing import Any

from flask import Flask, Response, request


def check_refusals(app: Flask) -> None:
    """Fail the request of a test whose problem is none that the document names for the operation."""

    @functools.cache
    def named() -> tuple[dict[tuple[str, str], set[str]], set[str]]:
        document = app.extensions["documented_api"].document
        codes = {
            (method.upper(), path): codes_of(document, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        }
        return codes, set(document["components"]["schemas"]["Problem"]["properties"])

    @app.after_request
    def check(response: Response) -> Response:
        if request.url_rule is None or response.mimetype != "application/problem+json":
            return response
        operation = request.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.url_rule.rule)
        (codes, members), problem = named(), response.get_json()
        assert problem["code"] in codes.get(operation, {problem["code"]}), (
            f"{operation} does not name {problem['code']}"
        )
        assert problem.keys() <= members, f"The schema Problem does not have all of {problem.keys()}"
        return response


def codes_of(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """Return the codes of the problems of an operation, with those that are possible everywhere."""
    codes: set[str] = set()
    for response in operation["responses"].values():
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        codes |= response.get("content", {}).get("application/problem+json", {}).get("examples", {}).keys()
    return codes
