"""Note on which days tokens are used: one write for each token and day, after the response."""

import threading
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import UUID

from flask import Response, after_this_request
from peewee import DatabaseError

from models.database import DatabaseUnavailable
from runtime.logs import get_logger
from trading.accounts.tokens import note_uses
from trading.rules.sessions import indian_day

logger = get_logger(__name__)

PAUSE_S = 60.0  # after a write that failed: a standby takes none, and no request should try in vain


class TokenUses:
    """The tokens whose use this process knows to be written today."""

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self.pause_s = pause_s
        self._day = date.min
        self._noted: set[UUID] = set()
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def after_response(self, token_id: UUID) -> None:
        """Let today's use of a token be noted when the response is sent, unless it is noted already."""
        if not self._new([token_id]):
            return

        @after_this_request
        def note_when_sent(response: Response) -> Response:
            response.call_on_close(lambda: self.note([token_id]))
            return response

    def note(self, token_ids: Iterable[UUID]) -> None:
        """Note that tokens were used today; a failure is logged, and the next use is noted after a pause."""
        day, new = indian_day(datetime.now(UTC)), self._new(token_ids)
        if not new:
            return
        try:
            note_uses(new, day)
        except (DatabaseError, DatabaseUnavailable) as error:
            self._paused_until = time.monotonic() + self.pause_s
            logger.warning("token_use_not_noted", reason=str(error).split("\n")[0])
            return
        with self._lock:
            if day == self._day:
                self._noted.update(new)

    def _new(self, token_ids: Iterable[UUID]) -> set[UUID]:
        """Return the tokens whose use has to be noted today; none during a pause."""
        if time.monotonic() < self._paused_until:
            return set()
        today = indian_day(datetime.now(UTC))
        with self._lock:
            if today != self._day:
                self._day, self._noted = today, set()
            return set(token_ids) - self._noted


token_uses = TokenUses()
