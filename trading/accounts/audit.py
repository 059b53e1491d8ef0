"""The audit of administrative actions: one append-only row for each, written before the action."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from models import AdminAction
from models.database import transactional


@transactional
def record_action(
    action: str, detail: Mapping[str, Any], *, address: str, token_id: UUID | None = None, request_id: str | None = None
) -> None:
    """Record an action with its caller and the caller's address; the detail must hold no secret."""
    AdminAction.insert(
        action=action, token_id=token_id, address=address, request_id=request_id, detail=dict(detail)
    ).execute()
