"""Refuse what may never happen to a row, whoever asks: rewriting the ledger, reopening an order, deleting."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

GUARDS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation',
        MESSAGE = TG_OP || ' of ' || TG_TABLE_NAME || ' is refused: ' || TG_ARGV[0];
END $$;

CREATE TRIGGER account_is_kept BEFORE DELETE ON account
    FOR EACH ROW EXECUTE FUNCTION refuse_change('an account is never deleted');
CREATE TRIGGER position_is_kept BEFORE DELETE ON position
    FOR EACH ROW EXECUTE FUNCTION refuse_change('a position is never deleted');
CREATE TRIGGER order_is_kept BEFORE DELETE ON trading_order
    FOR EACH ROW EXECUTE FUNCTION refuse_change('an order is never deleted');
CREATE TRIGGER ledger_is_kept BEFORE DELETE ON fund_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change('the ledger is append-only');

CREATE TRIGGER account_is_not_truncated BEFORE TRUNCATE ON account
    EXECUTE FUNCTION refuse_change('an account is never deleted');
CREATE TRIGGER position_is_not_truncated BEFORE TRUNCATE ON position
    EXECUTE FUNCTION refuse_change('a position is never deleted');
CREATE TRIGGER order_is_not_truncated BEFORE TRUNCATE ON trading_order
    EXECUTE FUNCTION refuse_change('an order is never deleted');
CREATE TRIGGER ledger_is_not_truncated BEFORE TRUNCATE ON fund_transaction
    EXECUTE FUNCTION refuse_change('the ledger is append-only');
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON event
    EXECUTE FUNCTION refuse_change('events are kept 7 days');

-- The one change that a ledger row knows is its link to the position that the execution found.
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE ON fund_transaction
    FOR EACH ROW WHEN (OLD.position_id IS NOT NULL
        OR (OLD.id, OLD.account_id, OLD.kind, OLD.amount, OLD.balance_after, OLD.blocked_after,
            OLD.order_id, OLD.created_at)
        IS DISTINCT FROM
           (NEW.id, NEW.account_id, NEW.kind, NEW.amount, NEW.balance_after, NEW.blocked_after,
            NEW.order_id, NEW.created_at))
    EXECUTE FUNCTION refuse_change('the ledger is append-only');

CREATE TRIGGER admin_actions_are_append_only BEFORE UPDATE OR DELETE ON admin_action
    FOR EACH ROW EXECUTE FUNCTION refuse_change('the audit is append-only');
CREATE TRIGGER admin_actions_are_not_truncated BEFORE TRUNCATE ON admin_action
    EXECUTE FUNCTION refuse_change('the audit is append-only');

CREATE TRIGGER order_stays_final BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN (OLD.status <> 'PENDING')
    EXECUTE FUNCTION refuse_change('the order is final');

CREATE TRIGGER event_is_not_rewritten BEFORE UPDATE ON event
    FOR EACH ROW EXECUTE FUNCTION refuse_change('an event is never rewritten');
CREATE TRIGGER event_is_kept BEFORE DELETE ON event
    FOR EACH ROW WHEN (OLD.at > now() - interval '7 days')
    EXECUTE FUNCTION refuse_change('events are kept 7 days');
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(GUARDS)
