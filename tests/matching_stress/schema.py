"""The tables of a run: the product's own, with accounts and stocks, and the logs beside them."""

from uuid import UUID, uuid4

from tests.matching_stress.connection import Link
from tests.matching_stress.settings import Settings

# A step of an order is written under its row's lock, so that the numbers of one order's steps are in their true order.
LOGS = """
CREATE SCHEMA stress;
CREATE TABLE stress.tick (
    stock_id uuid, number bigint, usable_before bigint, is_usable boolean, bid numeric, ask numeric, last numeric,
    new_trade numeric, at timestamptz, lower numeric, upper numeric, PRIMARY KEY (stock_id, number));
CREATE TABLE stress.step (
    id bigserial PRIMARY KEY, order_id uuid, kind text, number bigint, order_type text, price numeric,
    trigger_price numeric, is_triggered boolean, blind bigint, expires_at timestamptz, protection numeric, cap numeric,
    writer xid8 NOT NULL DEFAULT pg_current_xact_id());
"""
# What the product's functions write, as the database sees it. A quote without a time of its own was matched at
# quoted_at. A quote's trade was new if it has a last price and has moved the time of the newest trade; the feeders give
# no volumes.
WATCHERS = """
CREATE FUNCTION stress.keep_tick() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    holds boolean := coalesce(NEW.circuit_day = (NEW.quoted_at AT TIME ZONE 'Asia/Kolkata')::date, false);
BEGIN
    INSERT INTO stress.tick VALUES (
        NEW.id, NEW.quote_number, OLD.usable_number, NEW.is_usable, NEW.bid_price, NEW.ask_price, NEW.last_price,
        CASE WHEN NEW.is_usable AND NEW.newest_trade_at IS DISTINCT FROM OLD.newest_trade_at
             AND NEW.last_price_at IS DISTINCT FROM OLD.last_price_at THEN NEW.last_price END,
        CASE WHEN NEW.quoted_at >= now() THEN NEW.quoted_at ELSE clock_timestamp() END,
        CASE WHEN holds THEN NEW.lower_circuit END, CASE WHEN holds THEN NEW.upper_circuit END);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_tick AFTER UPDATE ON stock FOR EACH ROW WHEN (OLD.quote_number <> NEW.quote_number)
    EXECUTE FUNCTION stress.keep_tick();

CREATE FUNCTION stress.keep_step() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was_watched boolean := OLD.watch_price IS NOT NULL OR OLD.watch_trigger IS NOT NULL;
    is_watched boolean := NEW.watch_price IS NOT NULL OR NEW.watch_trigger IS NOT NULL;
    step text := CASE
        WHEN NEW.status IN ('CANCELLED', 'EXPIRED', 'REJECTED') AND OLD.status IN ('PENDING', 'OPEN') THEN 'end'
        WHEN NEW.status = 'EXECUTED' AND OLD.matched_at IS NULL THEN 'look'
        WHEN OLD.waiting_for = 'session' AND NEW.waiting_for IS NULL THEN 'release'
        WHEN NEW.status = 'OPEN' AND is_watched AND (OLD.status = 'PENDING' OR NOT was_watched) THEN 'open'
        WHEN NEW.status = 'OPEN' AND was_watched AND NOT is_watched THEN 'modify' END;
BEGIN
    IF OLD.triggered_at IS NULL AND NEW.triggered_at IS NOT NULL THEN
        INSERT INTO stress.step (order_id, kind) VALUES (NEW.id, 'trigger');
    END IF;
    IF step IS NOT NULL THEN
        INSERT INTO stress.step (order_id, kind, number, order_type, price, trigger_price, is_triggered, blind,
                                 expires_at, protection, cap)
        SELECT NEW.id, step, CASE step WHEN 'look' THEN (NEW.fill ->> 'quoteNumber')::bigint ELSE quote_number END,
               NEW.order_type, NEW.price, NEW.trigger_price, NEW.triggered_at IS NOT NULL, NEW.opened_number,
               NEW.expires_at, NEW.market_protection, NEW.protection_price
        FROM stock WHERE stock.id = NEW.stock_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_step AFTER UPDATE ON trading_order FOR EACH ROW EXECUTE FUNCTION stress.keep_step();
"""
FORGET = "DROP SCHEMA IF EXISTS stress CASCADE"
ACCOUNTS = "INSERT INTO account (id, name, balance, fill_model) VALUES %s"
STOCKS = "INSERT INTO stock (id, exchange, symbol) VALUES %s"
POSITIONS = """
INSERT INTO position (id, account_id, stock_id, product, exchange, symbol)
SELECT gen_random_uuid(), account.id, stock.id, 'INTRADAY', exchange, symbol FROM account CROSS JOIN stock
"""


def prepare(link: Link, settings: Settings) -> tuple[list[UUID], list[UUID]]:
    """Make the logs, the accounts and the stocks in an empty, migrated database; return both lists of ids."""
    link.rows(LOGS)
    accounts = [uuid4() for _ in range(settings.accounts)]
    stocks = [uuid4() for _ in range(settings.stocks)]
    link.write(ACCOUNTS, [(account_id, f"A{index}", 0, "QUOTES") for index, account_id in enumerate(accounts)])
    link.write(STOCKS, [(stock_id, "NSE", f"S{index}") for index, stock_id in enumerate(stocks)])
    link.rows(POSITIONS)
    return accounts, stocks


def watch(link: Link) -> None:
    """Make the logs and the triggers that fill them; forget() takes them away."""
    link.rows(FORGET)
    link.rows(LOGS + WATCHERS)


def forget(link: Link) -> None:
    """Take the logs and the triggers away."""
    link.rows(FORGET)
