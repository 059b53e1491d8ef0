"""The OpenAPI document: it is valid and complete, and the answers of the routes fit it."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from api import create_app
from api.http.errors import STATUS_BY_CODE
from api.reference.examples import HINTS
from tests.conftest import CRON_SECRET
from tests.security.operations import OF_EVERYBODY, Operation, operations_of
from tests.support.dead_letters import bury
from tests.support.examples import differences, example_of, optional_members
from trading.accounts import tokens
from trading.market.calendars import import_holidays

# Headers that every answer may have without being described: those of HTTP itself, and those for browsers' security.
HTTPS_OWN = {"Content-Type", "Content-Length", "Cache-Control", "Allow"}
SAFETY = {"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy"}


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return the target of a part's reference, or the part itself."""
    if "$ref" not in part:
        return part
    found = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def complaints(document: dict[str, Any], schema: dict[str, Any], instance: Any) -> list[str]:
    """Return the errors of an instance against a schema of the document."""
    whole = {"components": document["components"], **schema}
    validator = OAS31Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


def problems_of(document: dict[str, Any]) -> Iterator[tuple[Operation, str, str, dict[str, Any]]]:
    """Yield each operation's problems: the status, the code and its example."""
    for operation in operations_of(document):
        for status, reference in operation.spec["responses"].items():
            content = resolved(document, reference).get("content", {}).get("application/problem+json")
            for code, example in (content or {"examples": {}})["examples"].items():
                yield operation, status, code, example["value"]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_routes_are_described_when_somebody_asks_for_the_document(settings: Any, document: dict[str, Any]) -> None:
    described = create_app(settings).extensions["documented_api"]
    assert described.spec.to_dict()["paths"] == {}
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(lambda _: described.document, range(4))
    assert first == document
    assert all(other is first for other in others)


def test_every_operation_has_an_id_a_summary_and_tags(document: dict[str, Any]) -> None:
    operations = operations_of(document)
    assert len({operation.spec["operationId"] for operation in operations}) == len(operations) >= 24
    for operation in operations:
        assert operation.spec["summary"].endswith("."), str(operation)
        assert operation.spec["tags"]
        for entry in operation.spec["security"]:
            assert set(entry) <= set(document["components"]["securitySchemes"])


def test_every_response_is_described_with_its_headers(document: dict[str, Any]) -> None:
    for operation in operations_of(document):
        for status, reference in operation.spec["responses"].items():
            answer = resolved(document, reference)
            assert answer["description"], (str(operation), status)
            assert "X-Request-Id" in answer["headers"]
            if status.startswith(("4", "5")) and (operation.path, status) != ("/health/ready", "503"):
                assert "application/problem+json" in answer["content"], (str(operation), status)
    for header in document["components"]["headers"].values():
        assert header["description"]
        assert header["schema"]


def test_every_schema_and_parameter_has_an_example_that_fits(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        (example,) = schema["examples"]
        assert complaints(document, {"$ref": f"#/components/schemas/{name}"}, example) == [], name
        assert "…" not in str(example), f"{name}: a field has no example in its metadata"
    for path, item in document["paths"].items():
        parameters = [parameter for part in item.values() if isinstance(part, dict) for parameter in part["parameters"]]
        for parameter in parameters + item["parameters"]:
            example = parameter["schema"]["examples"][0]
            assert complaints(document, parameter["schema"], example) == [], (path, parameter["name"])
            assert example != "…", (path, parameter["name"])


def test_every_code_has_its_example(document: dict[str, Any]) -> None:
    problem = {**document["components"]["schemas"]["Problem"], "additionalProperties": False}
    shown = {}
    for _, _, code, example in problems_of(document):
        assert complaints(document, problem, example) == [], code
        shown[code] = example["status"]
    assert shown == STATUS_BY_CODE


def test_the_description_of_prefer_names_the_statuses_that_the_operation_has(document: dict[str, Any]) -> None:
    described = {
        operation["operationId"]: (parameter["description"], set(operation["responses"]))
        for item in document["paths"].values()
        for operation in (part for part in item.values() if isinstance(part, dict))
        for parameter in operation["parameters"]
        if parameter.get("name") == "Prefer"
    }
    for name, (description, statuses) in described.items():
        assert ("ends the wait with the 202" in description) == ("202" in statuses), name
    assert len(described) == 4


def test_every_component_is_used_by_a_route(document: dict[str, Any]) -> None:
    text = str(document)
    for kind in ("schemas", "headers", "responses"):
        for name in document["components"][kind]:
            used = f"'#/components/{kind}/{name}'" in text
            assert used, name


def test_every_link_leads_to_an_operation_that_takes_its_parameter(document: dict[str, Any]) -> None:
    takes = {
        operation["operationId"]: {parameter["name"] for parameter in item["parameters"]}
        for item in document["paths"].values()
        for name, operation in item.items()
        if name != "parameters"
    }
    links = [
        link
        for operation in operations_of(document)
        for response in operation.spec["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(links) == 9
    for link in links:
        assert set(link["parameters"]) <= takes[link["operationId"]], link


def test_the_hints_of_fields_are_not_in_the_document(document: dict[str, Any]) -> None:
    parameters = [each for item in document["paths"].values() for each in item["parameters"]]
    parameters += [each for operation in operations_of(document) for each in operation.spec["parameters"]]
    described = str(document["components"]["schemas"]) + str(parameters)
    assert [hint for hint in HINTS if f"'{hint}':" in described] == []


def shown_for(document: dict[str, Any], described: dict[str, Any], answer: Any) -> Any:
    """Return the example of an answer: for a problem that of its code."""
    if answer.mimetype == "application/problem+json":
        return described["content"][answer.mimetype]["examples"][answer.get_json()["code"]]["value"]
    return example_of(document, described["content"])


def check(document: dict[str, Any], operation: Operation, answer: Any) -> None:
    """Check an answer against its description in the document."""
    responses = operation.spec["responses"]
    described = resolved(document, responses.get(str(answer.status_code), responses["default"]))
    headers = {name for name, _ in answer.headers}
    assert headers <= set(described["headers"]) | HTTPS_OWN | SAFETY, str(operation)
    for name, header in described["headers"].items():
        assert name in headers or not resolved(document, header).get("required"), (str(operation), name)
    if answer.data:
        schema = described["content"][answer.mimetype].get("schema", {})
        if answer.is_json:
            assert complaints(document, schema, answer.get_json()) == [], str(operation)
            answered, shown = answer.get_json(), shown_for(document, described, answer)
            if isinstance(answered.get("errors"), dict):
                answered = answered | {"errors": shown["errors"]}  # they have the names of fields
            assert differences(shown, answered, str(operation), optional=optional_members(document)) == []


def test_responses_fit_the_document(
    client: Any, account: Any, headers_for: Any, document: dict[str, Any], place: Any, quote: Any
) -> None:
    """Send each operation as described, without a token, and with an unknown parameter."""
    owner, admin, cron = account(), headers_for("admin", "feed"), {"Authorization": f"Bearer {CRON_SECRET}"}
    quote()
    place(owner, orderType="MARKET")
    assert client.get("/api/cron/order-worker", headers=cron).get_json()["executed"] == 1
    (position,) = client.get("/api/trading/positions", headers=owner.headers).get_json()["data"]
    succeeded = set()
    for operation in operations_of(document):
        order = place(owner, clientOrderId=f"of {operation}").get_json()["order"]
        things = {
            "order_id": order["orderId"],
            "client_order_id": order["clientOrderId"],
            "position_id": position["positionId"],
            "account_id": str(owner.id),
            "token_id": str(tokens.create_token(["read"], account_id=owner.id)[0]),
            "message_id": bury(owner.id),
        }
        import_holidays([(OF_EVERYBODY["calendar"], OF_EVERYBODY["day"], "A holiday")])
        trading = operation.scopes & {"trade", "read"}
        headers = cron if operation.is_for_cron else owner.headers if trading else admin
        answer = operation.send(client, headers, things=things)
        check(document, operation, answer)
        if answer.status_code < 300:
            succeeded.add(operation.path)
        if not operation.is_public:
            check(document, operation, operation.send(client, things=things))
        check(document, operation, operation.send(client, headers, things=things, query={"nobody": "knows"}))
    # /metrics needs its secret, so that it has no success here.
    assert succeeded >= {operation.path for operation in operations_of(document)} - {"/metrics"}


def spoiled(operation: Operation, name: str, message: str) -> tuple[dict[str, str], dict[str, Any] | None]:
    """Return the query and the body of a request that is refused with a message for a field."""
    body = operation.body
    if message == "Missing data for required field.":
        return {}, {field: value for field, value in (body or {}).items() if field != name}
    if body is None or message == "Unknown parameter.":
        return {name: "9999999999999999999"}, None
    return {}, body | {name: 0}


def test_the_example_of_a_validation_is_the_answer_to_such_a_request(
    client: Any, account: Any, headers_for: Any, document: dict[str, Any]
) -> None:
    owner, admin, cron = account(), headers_for("admin", "feed"), {"Authorization": f"Bearer {CRON_SECRET}"}
    for operation, _, code, example in problems_of(document):
        if code != "validation_failed" or operation.is_for_prometheus:
            continue
        ((name, (message,)),) = example["errors"].items()
        query, body = spoiled(operation, name, message)
        trading = operation.scopes & {"trade", "read"}
        headers = cron if operation.is_for_cron else owner.headers if trading else admin
        headers = operation.required_headers | headers
        path = operation.url(account_id=owner.id)
        answer = client.open(path, method=operation.method, headers=headers, query_string=query, json=body)
        assert (answer.status_code, answer.get_json()["errors"]) == (422, example["errors"]), str(operation)
        assert answer.get_json()["detail"] == example["detail"]


def test_the_document_names_every_parameter_of_a_path(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        named = {parameter["name"] for parameter in item["parameters"] if parameter["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), path
