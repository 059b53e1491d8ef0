"""The loader's statements, which copy the rows of one cycle of orders for every account, again and again."""

ORDERS_PER_CYCLE, ENTRIES_PER_CYCLE, EVENTS_PER_CYCLE = 3, 9, 13
COLUMNS = {
    "trading_order": "id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price, status,"
    " filled_quantity, average_price, position_id, closing_quantity, blocked_margin, charges, charge_items,"
    " rejection_reason, placed_at, executed_at, updated_at, version",
    "fund_transaction": "id, account_id, kind, amount, balance_after, blocked_after, order_id, position_id, created_at",
    "event": "account_id, id, type, at, data",
}

OPEN_ACCOUNTS = """
WITH opened AS (
    INSERT INTO account (id, name, balance)
    SELECT (%(account_prefix)s || lpad(number::text, 12, '0'))::uuid, 'Bench ' || number, %(balance)s
    FROM generate_series(%(reader)s, %(pattern)s) AS number RETURNING id, balance)
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after)
SELECT id, 'DEPOSIT', balance, balance, 0 FROM opened ORDER BY id
"""

# The account, stock and time of each cycle, and the earlier cycles of its account (turn) and its position (round).
CYCLE = """
cycle AS (
    SELECT turned.*, turn / %(stocks)s AS round, stock.id AS stock_id, stock.symbol,
           (%(account_prefix)s || lpad(account_number::text, 12, '0'))::uuid AS account_id,
           (%(position_prefix)s || lpad((account_number * 100 + mod(turn, %(stocks)s))::text, 12, '0'))::uuid
               AS position_id,
           began_at - (SELECT min(placed_at) FROM trading_order WHERE account_id = %(pattern_id)s) AS shift,
           -- version 7 of a UUID but for its last 15 digits
           lpad(to_hex((extract(epoch FROM began_at) * 1000)::bigint), 12, '0') || '70008' AS id_head
    FROM (SELECT number, %(began_at)s + number * %(step)s AS began_at,
                 CASE WHEN mod(number, %(reader_every)s) = %(reader_every)s - 1 THEN %(reader)s
                      ELSE mod(number - number / %(reader_every)s, %(accounts)s) + 1 END AS account_number,
                 CASE WHEN mod(number, %(reader_every)s) = %(reader_every)s - 1 THEN number / %(reader_every)s
                      ELSE (number - number / %(reader_every)s) / %(accounts)s END AS turn
          FROM generate_series(%(first)s, %(last)s) AS number) AS turned
    JOIN stock ON stock.exchange = %(exchange)s AND stock.symbol = %(symbol_prefix)s || mod(turn, %(stocks)s) + 1)
"""
# The effect of one cycle on the pattern account, which began with the same balance as the others.
GROWTH = """
growth AS (
    SELECT balance - %(balance)s AS balance, account.blocked_margin AS margin, account.realized_pnl AS pnl,
           quantity, cost FROM account JOIN position ON position.account_id = account.id
    WHERE account.id = %(pattern_id)s),
pattern_order AS (
    SELECT *, row_number() OVER (ORDER BY placed_at) AS step FROM trading_order WHERE account_id = %(pattern_id)s)
"""
ORDER_ID = f"(id_head || lpad(to_hex(cycle.number * {ORDERS_PER_CYCLE} + step), 15, '0'))::uuid"
POSITION_ID = "CASE WHEN {}.position_id IS NOT NULL THEN cycle.position_id END"

ORDERS = f"""
WITH {CYCLE}, {GROWTH}
SELECT {ORDER_ID}, cycle.account_id, cycle.stock_id, exchange, cycle.symbol, side, product, order_type, quantity, price,
       status, filled_quantity, average_price, {POSITION_ID.format("pattern_order")}, closing_quantity, blocked_margin,
       charges, charge_items, rejection_reason, placed_at + shift, executed_at + shift, updated_at + shift,
       version
FROM cycle CROSS JOIN pattern_order ORDER BY cycle.number, step
"""
ENTRIES = f"""
WITH {CYCLE}, {GROWTH}, entry AS (
    SELECT fund_transaction.*, step, row_number() OVER (ORDER BY fund_transaction.id) AS place
    FROM fund_transaction JOIN pattern_order ON pattern_order.id = fund_transaction.order_id)
SELECT 1 + turn * {ENTRIES_PER_CYCLE} + place, cycle.account_id, kind, amount,
       balance_after + turn * growth.balance, blocked_after + turn * growth.margin, {ORDER_ID},
       {POSITION_ID.format("entry")}, created_at + shift
FROM cycle CROSS JOIN growth CROSS JOIN entry ORDER BY cycle.number, place
"""
EVENTS = f"""
WITH {CYCLE}, {GROWTH}, told AS (
    SELECT event.*, event.id - 1 AS place, step, split_part(type, '.', 1) AS subject
    FROM event LEFT JOIN pattern_order ON pattern_order.id = (data ->> 'id')::uuid
    WHERE event.account_id = %(pattern_id)s AND event.id > 1)
SELECT cycle.account_id, 1 + turn * {EVENTS_PER_CYCLE} + place, type, at + shift, data || CASE subject
    WHEN 'account' THEN jsonb_build_object(
        'id', cycle.account_id, 'name', 'Bench ' || account_number,
        'balance', (data ->> 'balance')::numeric + turn * growth.balance,
        'blocked_margin', (data ->> 'blocked_margin')::numeric + turn * growth.margin,
        'available_margin', (data ->> 'available_margin')::numeric + turn * (growth.balance - growth.margin),
        'realized_pnl', (data ->> 'realized_pnl')::numeric + turn * growth.pnl,
        'last_event_id', 1 + turn * {EVENTS_PER_CYCLE} + place, 'updated_at', at + shift, 'created_at', %(began_at)s)
    WHEN 'position' THEN jsonb_build_object(
        'id', cycle.position_id, 'account_id', cycle.account_id, 'stock_id', cycle.stock_id, 'symbol', cycle.symbol,
        'quantity', (data ->> 'quantity')::bigint + round * growth.quantity,
        'cost', (data ->> 'cost')::numeric + round * growth.cost,
        'blocked_margin', (data ->> 'blocked_margin')::numeric + round * growth.margin,
        'realized_pnl', (data ->> 'realized_pnl')::numeric + round * growth.pnl,
        'updated_at', at + shift, 'created_at', %(began_at)s)
    ELSE jsonb_build_object(
        'id', {ORDER_ID}, 'account_id', cycle.account_id, 'stock_id', cycle.stock_id, 'symbol', cycle.symbol,
        'position_id', CASE WHEN data ->> 'position_id' IS NOT NULL THEN cycle.position_id END,
        'placed_at', (data ->> 'placed_at')::timestamptz + shift,
        'executed_at', (data ->> 'executed_at')::timestamptz + shift,
        'updated_at', (data ->> 'updated_at')::timestamptz + shift) END
FROM cycle CROSS JOIN growth CROSS JOIN told ORDER BY cycle.number, place
"""
ROWS = {"trading_order": ORDERS, "fund_transaction": ENTRIES, "event": EVENTS}

# The number of cycles of each account.
TURNS = """
turns AS (
    SELECT account.id AS account_id, number, CASE WHEN number = %(reader)s THEN %(cycles)s / %(reader_every)s
           ELSE (%(cycles)s - %(cycles)s / %(reader_every)s - number + %(accounts)s) / %(accounts)s END AS turns
    FROM generate_series(1, %(reader)s) AS number
    JOIN account ON account.id = (%(account_prefix)s || lpad(number::text, 12, '0'))::uuid)
"""
POSITIONS = f"""
WITH {GROWTH}, {TURNS}
INSERT INTO position (id, account_id, stock_id, exchange, symbol, product, quantity, cost, blocked_margin, realized_pnl,
                      created_at)
SELECT (%(position_prefix)s || lpad((number * 100 + place)::text, 12, '0'))::uuid, account_id, stock.id,
       exchange, symbol, 'INTRADAY', rounds * quantity, rounds * cost, rounds * margin, rounds * pnl, %(began_at)s
FROM growth CROSS JOIN turns CROSS JOIN generate_series(0, %(stocks)s - 1) AS place
JOIN stock ON exchange = %(exchange)s AND symbol = %(symbol_prefix)s || place + 1
CROSS JOIN LATERAL (SELECT (turns - place + %(stocks)s - 1) / %(stocks)s AS rounds) AS counted WHERE rounds > 0
"""
ACCOUNTS = f"""
WITH {GROWTH}, {TURNS}
UPDATE account SET balance = account.balance + turns * growth.balance, blocked_margin = turns * margin,
                   realized_pnl = turns * pnl, last_event_id = 1 + turns * {EVENTS_PER_CYCLE},
                   last_entry_id = 1 + turns * {ENTRIES_PER_CYCLE}, created_at = %(began_at)s
FROM growth CROSS JOIN turns WHERE account.id = turns.account_id AND turns > 0
"""
# An account was opened before its first cycle: months are detached in the order of an account's entries.
FIRST_ENTRIES = """
UPDATE fund_transaction SET created_at = %(began_at)s
WHERE id = 1 AND account_id IN (SELECT id FROM account WHERE last_entry_id > 1 AND id <> %(pattern_id)s)
"""
# The event of an account's opening is deleted with the events of its first cycles.
FIRST_EVENTS = """
DELETE FROM event WHERE id = 1 AND account_id IN (
    SELECT id FROM account WHERE last_event_id > 1
    AND NOT EXISTS (SELECT FROM event AS second WHERE second.account_id = account.id AND second.id = 2))
"""
