"""Write an event for every change of an account, an order or a position, numbered without a gap.

The counter is a column of the account: its row lock makes the numbers come out in commit order,
and a rollback takes them back. See docs/decisions/event-triggers.md.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

EVENTS = """
-- The account's own event is numbered in the very update that changes it.
CREATE FUNCTION record_account_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_event_id := NEW.last_event_id + 1;
    NEW.updated_at := clock_timestamp();
    INSERT INTO event (account_id, id, type, at, data)
    VALUES (NEW.id, NEW.last_event_id, 'account.updated', NEW.updated_at,
            -- a generated column is not yet computed in a BEFORE trigger
            to_jsonb(NEW) || jsonb_build_object('available_margin', NEW.balance - NEW.blocked_margin));
    RETURN NEW;
END $$;

CREATE FUNCTION record_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
    event_type text := TG_ARGV[0];
BEGIN
    IF TG_TABLE_NAME = 'trading_order' THEN
        event_type := CASE WHEN TG_OP = 'UPDATE' AND NEW.status = 'PENDING' THEN 'order.modified'
                           ELSE 'order.' || lower(NEW.status) END;
    END IF;
    UPDATE account SET last_event_id = last_event_id + 1 WHERE id = NEW.account_id
        RETURNING last_event_id INTO event_id;
    INSERT INTO event (account_id, id, type, at, data)
    VALUES (NEW.account_id, event_id, event_type, clock_timestamp(), to_jsonb(NEW));
    RETURN NULL;
END $$;

CREATE TRIGGER account_opened BEFORE INSERT ON account
    FOR EACH ROW EXECUTE FUNCTION record_account_event();
CREATE TRIGGER account_changed BEFORE UPDATE ON account
    FOR EACH ROW WHEN ((OLD.balance, OLD.blocked_margin, OLD.realized_pnl, OLD.status, OLD.name)
        IS DISTINCT FROM (NEW.balance, NEW.blocked_margin, NEW.realized_pnl, NEW.status, NEW.name))
    EXECUTE FUNCTION record_account_event();

CREATE TRIGGER order_placed AFTER INSERT ON trading_order
    FOR EACH ROW EXECUTE FUNCTION record_event();
-- Counting attempts is housekeeping, not a change of the order.
CREATE TRIGGER order_changed AFTER UPDATE ON trading_order
    FOR EACH ROW WHEN ((OLD.status, OLD.quantity, OLD.price, OLD.filled_quantity, OLD.average_price,
                        OLD.position_id, OLD.closing_quantity, OLD.blocked_margin, OLD.charges,
                        OLD.charge_items, OLD.rejection_reason, OLD.client_order_id)
        IS DISTINCT FROM (NEW.status, NEW.quantity, NEW.price, NEW.filled_quantity, NEW.average_price,
                          NEW.position_id, NEW.closing_quantity, NEW.blocked_margin, NEW.charges,
                          NEW.charge_items, NEW.rejection_reason, NEW.client_order_id))
    EXECUTE FUNCTION record_event();

CREATE TRIGGER position_opened AFTER INSERT ON position
    FOR EACH ROW EXECUTE FUNCTION record_event('position.updated');
CREATE TRIGGER position_changed AFTER UPDATE ON position
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION record_event('position.updated');
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(EVENTS)
