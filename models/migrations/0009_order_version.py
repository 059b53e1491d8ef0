"""Number the versions of an order: the version moves with every change that a client can see.

The trigger moves it, so that the previous release, which does not know the column, moves it too. The constant
default adds the column without rewriting the table.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

# The time (in microseconds) makes versions unique beyond this server: when a failover takes a change back, the next
# change does not get the number of the lost one. A clock that was set back still leaves the version growing.
VERSION = """
ALTER TABLE trading_order ADD COLUMN version bigint NOT NULL DEFAULT 1;

CREATE FUNCTION move_order_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := greatest(OLD.version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    RETURN NEW;
END $$;

-- Every column that an UPDATE may change, but for attempts and retry_at, which no client sees.
CREATE TRIGGER order_version_moves BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN ((OLD.status, OLD.quantity, OLD.price, OLD.filled_quantity, OLD.average_price,
                        OLD.position_id, OLD.closing_quantity, OLD.blocked_margin, OLD.charges,
                        OLD.charge_items, OLD.rejection_reason, OLD.client_order_id,
                        OLD.placed_at, OLD.executed_at, OLD.updated_at)
        IS DISTINCT FROM (NEW.status, NEW.quantity, NEW.price, NEW.filled_quantity, NEW.average_price,
                          NEW.position_id, NEW.closing_quantity, NEW.blocked_margin, NEW.charges,
                          NEW.charge_items, NEW.rejection_reason, NEW.client_order_id,
                          NEW.placed_at, NEW.executed_at, NEW.updated_at))
    EXECUTE FUNCTION move_order_version();
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(VERSION)
