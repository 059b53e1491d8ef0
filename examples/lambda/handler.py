"""Scheduled AWS Lambda function that executes PENDING orders through the cron endpoint.

Settings: TRADEPOST_URL (https://…), CRON_SECRET, and ORDER_WORKER_BATCH_LIMIT (orders a call, default 50).
It needs only the standard library.
"""

import json
import os
import urllib.request
from typing import Any

# The time limit of one call; no call begins when the function has less time left.
CALL_TIMEOUT_S = 25
COUNTS = ("claimed", "executed", "rejected", "failed")


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Call until no order is left to claim or the time is over, and return the counts.

    Raises urllib.error.HTTPError or URLError when a call fails, so that the function fails and the alarm sees it.
    """
    totals = dict.fromkeys((*COUNTS, "remaining", "calls"), 0)
    while context.get_remaining_time_in_millis() > CALL_TIMEOUT_S * 1000:
        report = execute_pending()
        totals["calls"] += 1
        totals["remaining"] = report["remaining"]
        for name in COUNTS:
            totals[name] += report[name]
        # Orders that remain are claimed by another caller, or wait for their next attempt.
        if report["claimed"] == 0 or report["remaining"] == 0:
            break
    print(json.dumps(totals))  # noqa: T201  for the log
    return totals


def execute_pending() -> dict[str, int]:
    """Make one call of the cron endpoint and return its report."""
    limit = int(os.environ.get("ORDER_WORKER_BATCH_LIMIT", "50"))
    request = urllib.request.Request(  # noqa: S310  the operator sets the URL
        f"{os.environ['TRADEPOST_URL'].rstrip('/')}/api/cron/order-worker?limit={limit}",
        headers={"Authorization": f"Bearer {os.environ['CRON_SECRET']}"},
    )
    with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as response:  # noqa: S310
        report: dict[str, int] = json.load(response)
    return report
