"""A check for schemathesis: data that fits the document is not refused for its shape."""

import schemathesis
from schemathesis.generation import GenerationMode

# Rules that no JSON schema can state: a time in the future, a range that is not too long, a cursor of the service, a
# clientOrderId of the server, a change that changes something, terms that go with the type of the order, with its
# validity or with each other, and at most ten quotes of one stock.
BEYOND_A_SCHEMA = {"expiresAt", "cursor", "clientOrderId", "status", "price", "triggerPrice", "validity"}
BEYOND_A_SCHEMA |= {"from", "validityMinutes", "marketProtection", "lastPrice", "quotes"}
# The refusal of a parameter that is good by itself, and has no effect beside another one.
EXCLUDED = "Is not used with "


@schemathesis.check
def fitting_data_is_understood(ctx, response, case):
    """Fail for an answer `validation_failed` to data that the document calls valid."""
    meta = case.meta
    if meta is None or meta.generation.mode != GenerationMode.POSITIVE or response.status_code != 422:
        return
    problem = response.json()
    errors = problem.get("errors", {})
    fields = {name.rpartition(".")[2] for name, reasons in errors.items() if not reasons[0].startswith(EXCLUDED)}
    # 10.0 is an integer in a JSON schema, but the service refuses it.
    fields -= set(floats(case.body))
    if problem["code"] == "validation_failed" and not fields <= BEYOND_A_SCHEMA:
        raise AssertionError(f"the document allows what was refused: {problem['errors']}")


def floats(body):
    """Yield the names of the members of a body, however deep, that are floats."""
    for item in body if isinstance(body, list) else []:
        yield from floats(item)
    for name, value in body.items() if isinstance(body, dict) else []:
        if isinstance(value, float):
            yield name
        yield from floats(value)
