"""The audit of administrative actions: an append-only row for each, written before it is done."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models.database import execute, transactional


@transactional
def record_action(
    action: str, detail: Mapping[str, Any], *, address: str, token_id: UUID | None = None, request_id: str | None = None
) -> None:
    """Note who asks for what, from where; the detail holds no secret."""
    execute(
        "INSERT INTO admin_action (action, token_id, address, request_id, detail) VALUES (%s, %s, %s, %s, %s)",
        (action, token_id, address, request_id, json.dumps(detail, default=str)),
    )
