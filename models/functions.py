"""The functions of the database: where they look for the tables that they name."""

from models.database import execute

# The schemas that the migration itself sees. Temporary tables come last: by default they would come first, and whoever
# may connect may make one that has the name of a table of ours.
FIX = """
DO $$
DECLARE
    schemas text := (SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS name);
    the_function regprocedure;
BEGIN
    FOR the_function IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
        AND proname = ANY('{names}'::text[])
    LOOP
        EXECUTE format('ALTER FUNCTION %%s SET search_path = %%s, pg_temp', the_function, schemas);
    END LOOP;
END $$
"""


def fix_search_path(*names: str) -> None:
    """Let functions of the current schema find their tables in the schemas that this session sees, whoever calls them.

    To replace a function undoes this, so the migration that replaces it fixes it again.
    """
    execute(FIX.replace("{names}", f"{{{','.join(names)}}}"))
