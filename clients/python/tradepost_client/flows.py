"""The retries of a call and the wait for an order, as steps that a client of either kind carries out."""

import random
import time
from dataclasses import dataclass
from typing import TypeVar

from .calls import Answer, Call, Flow, Lost, Pause, understood
from .failures import NoAnswer, NotFinal, Problem, TradepostError, UnexpectedAnswer, problem_of
from .shapes.orders import OrderDetail

T = TypeVar("T")

# 500 too: a call that may be repeated is not carried out twice, and the failure may have come after its commit.
TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
NOT_CARRIED_OUT = frozenset({429})
FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 2.0
# An address that has never answered is probably wrong.
FIRST_PATIENCE_S = 5.0
TEXT_SHOWN = 200


@dataclass
class Contact:
    """The service that a client talks to."""

    url: str
    patience_s: float
    has_answered: bool = False

    def patience_after(self, outcome: Answer | Lost) -> float:
        """Return for how many seconds a call is tried again after this outcome."""
        is_unknown = not self.has_answered and isinstance(outcome, Lost) and not outcome.was_sent
        return min(self.patience_s, FIRST_PATIENCE_S) if is_unknown else self.patience_s


def carried_out(call: Call[T], contact: Contact) -> Flow[T]:
    """Send a call, and send it again while that is safe and may help; return its result or raise its failure."""
    request, begun, attempt, lost_one = call.request(), time.monotonic(), 0, False
    while True:
        outcome: Answer | Lost = yield request
        contact.has_answered = contact.has_answered or isinstance(outcome, Answer)
        if isinstance(outcome, Answer) and outcome.status < 300:
            return understood(call, outcome)
        pause_s = max(pause_after(attempt), _asked_s(outcome))
        is_over = time.monotonic() + pause_s - begun > contact.patience_after(outcome)
        if is_over or not _may_repeat(call, outcome):
            error = _error(call, outcome, contact)
            instead = _instead(call, error) if lost_one else None
            if instead is None:
                raise error
            return (yield from carried_out(instead.for_account(_account_of(call)), contact))
        attempt, lost_one = attempt + 1, lost_one or not _is_refusal(outcome)
        yield Pause(pause_s)


def final_order(call: Call[OrderDetail], contact: Contact, timeout_s: float) -> Flow[OrderDetail]:
    """Read an order until it is final."""
    end, attempt = time.monotonic() + timeout_s, 0
    while True:
        order = yield from carried_out(call, contact)
        if order.is_final:
            return order
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise NotFinal(f"the order {order.order_id} is still {order.status} after {timeout_s:g} s")
        yield Pause(min(pause_after(attempt), left_s))
        attempt += 1


def pause_after(attempt: int, longest_s: float = LAST_PAUSE_S) -> float:
    """Return the seconds before the next attempt: each pause is twice the last one, up to a limit, and random."""
    return min(longest_s, FIRST_PAUSE_S * 2.0 ** min(attempt, 10)) * random.uniform(0.5, 1.0)  # noqa: S311  no secret


def seconds_of(retry_after: str) -> float:
    """Return the seconds that a Retry-After header asks to wait."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0


def _asked_s(outcome: Answer | Lost) -> float:
    return seconds_of(outcome.headers.get("retry-after", "")) if isinstance(outcome, Answer) else 0.0


def _may_repeat(call: Call[T], outcome: Answer | Lost) -> bool:
    if isinstance(outcome, Lost):
        return call.is_repeatable or not outcome.was_sent
    if outcome.status in NOT_CARRIED_OUT:
        return True
    return call.is_repeatable and (outcome.status in TEMPORARY or _is_in_progress(outcome))


def _is_in_progress(answer: Answer) -> bool:
    return answer.status == 409 and b'"idempotency_in_progress"' in answer.content


def _is_refusal(outcome: Answer | Lost) -> bool:
    """Return True if the request has certainly not been carried out."""
    return outcome.status in NOT_CARRIED_OUT if isinstance(outcome, Answer) else not outcome.was_sent


def _error(call: Call[T], outcome: Answer | Lost, contact: Contact) -> TradepostError:
    if isinstance(outcome, Answer):
        problem = problem_of(outcome.content, outcome.headers)
        text = outcome.content[:TEXT_SHOWN].decode(errors="replace")
        return problem or UnexpectedAnswer(f"{call.method} {contact.url}{call.path}: {outcome.status} {text}".rstrip())
    reason = str(outcome.error) or type(outcome.error).__name__
    error = NoAnswer(
        f"no answer from {contact.url}: {reason}",
        may_have_happened=outcome.was_sent and call.method != "GET",
        idempotency_key=call.idempotency_key,
    )
    error.__cause__ = outcome.error
    return error


def _instead(call: Call[T], error: TradepostError) -> Call[T] | None:
    return call.recover(error) if call.recover is not None and isinstance(error, Problem) else None


def _account_of(call: Call[T]) -> str | None:
    account_id = call.query.get("trading_account_id")
    return None if account_id is None else str(account_id)
