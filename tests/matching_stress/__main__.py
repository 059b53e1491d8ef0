"""Run the stress against a database of its own: python -m tests.matching_stress --seconds 60 --seed 7."""

import argparse
import sys
import tempfile
from pathlib import Path

from embedded.postgres import Postgres
from tests.matching_stress.databases import migrated_database
from tests.matching_stress.plain import PlainRun
from tests.matching_stress.settings import Mutation, Settings


def main() -> int:
    """Run once and print the report; return 1 if there is a problem."""
    parser = argparse.ArgumentParser(description="Stress the matching protocol and reckon every match again.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutation", type=Mutation, choices=list(Mutation), default=Mutation.NONE)
    parser.add_argument("--hold", type=float, default=3.0, help="seconds for which an account is held at a time")
    arguments = parser.parse_args()
    settings = Settings(
        seconds=arguments.seconds, seed=arguments.seed, mutation=arguments.mutation, hold_s=arguments.hold
    )
    with tempfile.TemporaryDirectory(prefix="tradepost-stress-") as folder:
        postgres = Postgres(Path(folder) / "postgres", durable=False)
        try:
            postgres.start()
            report = PlainRun(migrated_database(postgres.url(), "stress"), settings).run()
        finally:
            postgres.stop()
            postgres.delete()
    print(f"seed {settings.seed}, {settings.seconds} s, mutation {settings.mutation}\n{report}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
