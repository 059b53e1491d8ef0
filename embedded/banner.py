"""The text that `make run` prints once the service is ready."""

from embedded.local_http import is_behind_proxy
from embedded.seed import Demo

TEMPLATE = """
Tradepost is ready: {base}   (health: {base}/health/ready)

  demo account  {account_id}
  token         {token}

Place an order, and read it a moment later:

  {curl} -sS -i {base}/api/trading/orders \\
    -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
    -d '{{"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10}}'

  {curl} -sS '{base}/api/trading/orders?limit=1' -H 'Authorization: Bearer {token}'

Execute pending orders without the worker:

  {curl} -sS '{base}/api/cron/order-worker?limit=25' -H 'Authorization: Bearer {cron_secret}'

Ctrl-C stops everything; the data stays in {data_dir}.
"""


def ready_text(*, port: int, demo: Demo, cron_secret: str, data_dir: str) -> str:
    """Return the text, whose commands can be copied as they are."""
    return TEMPLATE.format(
        base=f"http://127.0.0.1:{port}",
        curl="curl --noproxy 127.0.0.1" if is_behind_proxy() else "curl",
        account_id=demo.account_id,
        token=demo.token,
        cron_secret=cron_secret,
        data_dir=data_dir,
    )
