"""Record administrative requests in the audit log before they are carried out."""

from typing import Any

from flask import request

from trading.accounts.audit import record_action

from .authentication import current_principal
from .facts import request_facts


def audit(action: str, detail: dict[str, Any]) -> None:
    """Record an action with its sender; the address of the peer is certain, a forwarded one is only a claim."""
    forwarded = request.headers.get("X-Forwarded-For", "")[:100]
    record_action(
        action,
        detail,
        address=f"{request.remote_addr} for {forwarded}" if forwarded else str(request.remote_addr),
        token_id=current_principal().token_id,
        request_id=request_facts().request_id,
    )
