"""Let orders be changed and their lives be told: keep what may not change, and find an order's events.

Nothing of 0002 stands in the way of changing a PENDING order. The index is made beside live traffic;
both statements may run again after a failure.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

atomic = False  # CREATE INDEX CONCURRENTLY runs in no transaction

# What is bought or sold, by whom and how, is another order.
GUARD = """
CREATE OR REPLACE TRIGGER order_stays_the_same_order BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN ((OLD.id, OLD.account_id, OLD.stock_id, OLD.exchange, OLD.symbol, OLD.side, OLD.product,
                        OLD.order_type)
        IS DISTINCT FROM
           (NEW.id, NEW.account_id, NEW.stock_id, NEW.exchange, NEW.symbol, NEW.side, NEW.product, NEW.order_type))
    EXECUTE FUNCTION refuse_change('only quantity and price of an order may change');
"""
INDEX = """
CREATE INDEX CONCURRENTLY event_of_order ON event (((data ->> 'id')::uuid)) WHERE type LIKE 'order.%%'
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(GUARD)
    execute("DROP INDEX CONCURRENTLY IF EXISTS event_of_order")  # one that a failure left unfinished
    execute(INDEX)
