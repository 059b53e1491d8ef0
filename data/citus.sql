-- Distribute the buckets of a migrated database over the workers of its Citus coordinator:
--     psql -v ON_ERROR_STOP=1 -f data/citus.sql "$DATABASE_URL"
-- It may run again, and must after a worker was added. See docs/scaling.md. Only empty lines part the statements.

-- The search of stocks stays on the coordinator.
ALTER TABLE public.stock_search DROP CONSTRAINT IF EXISTS stock_search_stock_id_fkey;

-- Every node has all stocks, because the orders and positions of its buckets refer to them.
SELECT create_reference_table('public.stock')
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'public.stock'::regclass);

SELECT run_command_on_workers($node$
    SET citus.enable_ddl_propagation = off;
    CREATE OR REPLACE FUNCTION public.let_stock_be_found() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RETURN NULL; END';
$node$);

SELECT citus_schema_distribute(oid::regnamespace) FROM pg_namespace
WHERE nspname ~ '^bucket_[0-9]+$' AND oid::regnamespace NOT IN (SELECT schema_name FROM citus_schemas);

-- Numbers of orders: each node counts in steps of its own (there may be 32), so that a bucket may move to another one.
DO $steps$
DECLARE
    buckets integer := (SELECT count(*) FROM citus_schemas WHERE schema_name::text ~ '^bucket_[0-9]+$');
    step integer := 32 * buckets;
    node record;
    first bigint;
    bucket text;
BEGIN
    FOR shard IN 0 .. buckets - 1 LOOP
        bucket := 'bucket_' || shard;
        first := 100000000 + shard;
        EXECUTE format('ALTER SEQUENCE %s.order_numbers INCREMENT BY %s RESTART WITH %s', bucket, step, (
            SELECT first + step * ((coalesce(last_value, first) - first) / step + 1) FROM pg_sequences
            WHERE schemaname = bucket AND sequencename = 'order_numbers'));
        FOR node IN SELECT nodename, nodeport, groupid FROM pg_dist_node WHERE groupid > 0 AND noderole = 'primary' LOOP
            first := 100000000 + shard + buckets * (node.groupid % 32);
            ASSERT (SELECT success FROM master_run_on_worker(ARRAY[node.nodename], ARRAY[node.nodeport], ARRAY[format('
                SET citus.enable_ddl_propagation = off;
                CREATE SEQUENCE IF NOT EXISTS %s.order_numbers INCREMENT BY %s MINVALUE %s MAXVALUE 999999999 CYCLE
                ', bucket, step, first)], false)), 'a worker has no sequence: ' || node.nodename;
        END LOOP;
    END LOOP;
END $steps$;

-- The common placement is one call of a function: it runs where its bucket is, with a function that no table names.
SELECT create_distributed_function(oid::regprocedure) FROM pg_proc
WHERE proname = 'quote_is_usable' AND pronamespace = 'public'::regnamespace;

SELECT create_distributed_function(oid::regprocedure, colocate_with => pronamespace::regnamespace || '.account')
FROM pg_proc WHERE proname = 'order_opened' AND pronamespace::regnamespace IN (SELECT schema_name FROM citus_schemas);
