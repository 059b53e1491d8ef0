"""A check of our own for schemathesis: what fits the document is not refused for its shape."""

import schemathesis
from schemathesis.generation import GenerationMode

# What no JSON schema can say: a moment in the future, a price that goes with the type, a cursor of ours.
BEYOND_A_SCHEMA = {"expiresAt", "price", "cursor"}


@schemathesis.check
def fitting_data_is_understood(ctx, response, case):
    """Refuse an answer `validation_failed` to what the document calls valid."""
    meta = case.meta
    if meta is None or meta.generation.mode != GenerationMode.POSITIVE or response.status_code != 422:
        return
    problem = response.json()
    fields = set(problem.get("errors", {}))
    # 10.0 is an integer to a JSON schema, and none to a client's bookkeeping.
    fields -= {name for name in fields if isinstance(case.body, dict) and isinstance(case.body.get(name), float)}
    if problem["code"] == "validation_failed" and not fields <= BEYOND_A_SCHEMA:
        raise AssertionError(f"the document allows what was refused: {problem['errors']}")
