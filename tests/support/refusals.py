"""Hold every refusal that any test gets against the OpenAPI document."""

import functools
import re
from typing import Any

from flask import Flask, Response, request

from tests.support.examples import differences

# Members that only some problems with their code have.
OPTIONAL = {"matchedAt", "origin"}
# The problems that pass by themselves.
WAITING = {"rate_limited", "service_unavailable"}

Problem = dict[str, Any]


def check_refusals(app: Flask) -> None:
    """Fail the request of a test whose problem is unlike each that the document shows for the operation."""

    @functools.cache
    def shown() -> dict[tuple[str, str], dict[str, Problem]]:
        document = app.extensions["documented_api"].document
        return {
            (method.upper(), path): problems_of(document, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        }

    @app.after_request
    def check(response: Response) -> Response:
        if request.url_rule is None or response.mimetype != "application/problem+json":
            return response
        operation = request.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.url_rule.rule)
        problem, examples = response.get_json(), shown().get(operation)
        if examples is not None:
            code = problem["code"]
            assert code in examples, f"{operation} does not name {code}"
            errors = {"errors": examples[code]["errors"]} if "errors" in problem else {}
            found = differences(examples[code], problem | errors, code, optional=OPTIONAL)
            assert found == [], f"{operation} shows another problem: {found}"
            waits = response.headers.get("Retry-After")
            assert (waits is not None) == (code in WAITING), f"{operation}: {code} with Retry-After {waits}"
        return response


def problems_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Problem]:
    """Return the examples of an operation's problems by code, with those that are possible everywhere."""
    found: dict[str, Problem] = {}
    for response in operation["responses"].values():
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        examples = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
        found |= {code: example["value"] for code, example in examples.items()}
    return found
