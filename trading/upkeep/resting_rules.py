"""The rules of the ledger check for orders that meet quotes: none is passed over, outlives its end or fills wrongly.

Each query returns account_id and detail for every violation of its rule, as those of trading.upkeep.verify.
"""

# With neither bid nor ask the last price stands in for both; with one of them the other side is none.
STOCK_WITH_SIDES = """
    SELECT stock.id AS stock_id, quote_number, last_price, lower_circuit, upper_circuit,
           CASE WHEN bid_price IS NULL AND ask_price IS NULL THEN last_price ELSE ask_price END AS offered,
           CASE WHEN bid_price IS NULL AND ask_price IS NULL THEN last_price ELSE bid_price END AS wanted,
           coalesce(circuit_day = (quoted_at AT TIME ZONE 'Asia/Kolkata')::date, false) AS has_circuits
    FROM stock WHERE is_usable AND NOT is_halted"""
# The evidence of a fill, as numbers: the side that the order took, its limit, and the last price. A market order with
# protection rests at its protection price.
FILLED = """
    SELECT id, account_id, side, order_type, average_price, match_price, fill ->> 'rule' AS rule, fill,
           coalesce(price, protection_price) AS limit_price, price, (fill ->> 'last')::numeric AS last,
           CASE WHEN fill ->> 'bid' IS NULL AND fill ->> 'ask' IS NULL THEN (fill ->> 'last')::numeric
                WHEN side = 'BUY' THEN (fill ->> 'ask')::numeric ELSE (fill ->> 'bid')::numeric END AS taken
    FROM trading_order WHERE fill_model = 'QUOTES' AND status = 'EXECUTED'"""
# A price is at least as good as a limit if this is 0 or more.
BETTER = "(CASE side WHEN 'BUY' THEN limit_price - {0} ELSE {0} - limit_price END)"
CIRCUITS = "coalesce(lower_circuit, 0) AND coalesce(upper_circuit, 'Infinity')"

RESTING_RULES = {
    # An order that opened without a usable quote waits for a later one than the present quote. What would fill outside
    # the circuits waits, and so does what ends before a quote.
    "no resting order is crossed by its stock's present quote": f"""
        SELECT account_id, format('order %s watches %s and trigger %s, the quote %s offers %s, wants %s, last %s',
               id, watch_price, watch_trigger, quote_number, offered, wanted, last_price) AS detail
        FROM trading_order JOIN ({STOCK_WITH_SIDES}) AS quote USING (stock_id)
        WHERE status = 'OPEN' AND matched_at IS NULL AND coalesce(opened_number < quote_number, true)
          AND coalesce(expires_at > market_now(), true)
          AND (CASE side WHEN 'BUY' THEN watch_trigger <= last_price ELSE watch_trigger >= last_price END
            OR CASE side WHEN 'BUY' THEN offered <= watch_price ELSE wanted >= watch_price END
               AND NOT (limit_fills = 'through' AND watch_price IN (offered, wanted) AND order_type LIKE '%LIMIT')
               AND NOT (has_circuits AND (
                   CASE side WHEN 'BUY' THEN offered ELSE wanted END NOT BETWEEN {CIRCUITS}
                   OR order_type LIKE '%LIMIT' AND watch_price NOT BETWEEN {CIRCUITS})))""",
    "no open order outlives its end": """
        SELECT account_id, format('order %s should have ended at %s', id, expires_at) AS detail FROM trading_order
        WHERE status = 'OPEN' AND matched_at IS NULL AND expires_at < market_now() - interval '1 minute'""",
    "a fill has evidence that allows its price": f"""
        SELECT account_id, format('order %s filled at %s by %s', id, average_price, fill) AS detail
        FROM ({FILLED}) AS filled
        WHERE NOT coalesce(average_price = coalesce(match_price, average_price)
            AND {BETTER.format("average_price")} >= 0 IS NOT FALSE
            AND CASE rule
                WHEN 'first_look' THEN order_type IN ('LIMIT', 'STOP_LIMIT') AND average_price = taken
                WHEN 'market' THEN order_type IN ('MARKET', 'STOP_MARKET') AND average_price = taken
                WHEN 'stop' THEN order_type = 'STOP_MARKET' AND average_price = taken
                WHEN 'book' THEN average_price = limit_price AND {BETTER.format("taken")} >= 0
                WHEN 'trade_through' THEN average_price = limit_price AND {BETTER.format("last")} > 0
                WHEN 'touch' THEN average_price = limit_price AND last = limit_price
                WHEN 'close_price' THEN average_price IS NOT NULL END, false)""",
    "an order ends once, and nothing comes after its end": """
        SELECT account_id, format('order %s has %s final events of %s, the last one is %s',
                                  order_id, count(*) FILTER (WHERE is_final), count(*), max(id)) AS detail
        FROM (SELECT account_id, (data ->> 'id')::uuid AS order_id, id,
                     type IN ('order.executed', 'order.cancelled', 'order.rejected', 'order.expired') AS is_final
              FROM event WHERE type LIKE 'order.%') AS told
        GROUP BY account_id, order_id
        HAVING count(*) FILTER (WHERE is_final) > 1 OR max(id) FILTER (WHERE is_final) < max(id)""",
}
