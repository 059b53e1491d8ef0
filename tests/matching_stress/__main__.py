"""Run the stress in a database of its own: python -m tests.matching_stress --seconds 60 --seed 7.

With --product the threads call the product's functions instead of the plain SQL.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from embedded.postgres import Postgres
from embedded.valkey import Valkey
from tests.matching_stress.databases import migrated_database
from tests.matching_stress.plain import PlainRun
from tests.matching_stress.running import Report
from tests.matching_stress.settings import Mutation, Settings


def main() -> int:
    """Run once and print the report; return 1 if there is a problem."""
    parser = argparse.ArgumentParser(description="Stress the matching protocol and reckon every match again.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutation", type=Mutation, choices=list(Mutation), default=Mutation.NONE)
    parser.add_argument("--hold", type=float, default=3.0, help="seconds for which an account is held at a time")
    parser.add_argument("--product", action="store_true", help="call the product's functions")
    arguments = parser.parse_args()
    settings = Settings(
        seconds=arguments.seconds, seed=arguments.seed, mutation=arguments.mutation, hold_s=arguments.hold
    )
    with tempfile.TemporaryDirectory(prefix="tradepost-stress-") as folder:
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        valkey = Valkey(Path(folder) / "valkey", durable=False)
        try:
            postgres.start()
            url = migrated_database(postgres.url(), "stress")
            if arguments.product:
                valkey.start()
                report = run_product(url, valkey.url, folder, settings)
            else:
                report = PlainRun(url, settings).run()
        finally:
            valkey.stop()
            postgres.stop()
            postgres.delete()
    print(f"seed {settings.seed}, {settings.seconds} s, mutation {settings.mutation}\n{report}")
    return 1 if report.problems else 0


def run_product(url: str, redis_url: str, folder: str, settings: Settings) -> Report:
    """Prepare this process as a worker, and run the product's functions."""
    os.environ |= {"DATABASE_URL": url, "REDIS_URL": redis_url, "DATA_DIR": folder, "TRADEPOST_ENV": "test"}
    import config
    from actors import broker
    from models import database
    from runtime import logs
    from tests.matching_stress.defects import defect
    from tests.matching_stress.product import ProductRun

    logs.configure("ERROR", "text")
    broker.configure(config.settings(), role="web")
    database.initialise(url, pool_size=40)
    with defect(settings.mutation):
        return ProductRun(url, settings).run()


if __name__ == "__main__":
    sys.exit(main())
