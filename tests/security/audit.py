"""`make audit`: bandit over the deployed code, and pip-audit over its packages where an advisory service answers."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = ("actors", "api", "config", "gunicorn.conf.py", "models", "runtime", "schemas", "serving", "trading")
# Read one by one, with the reason why each may stay; another finding fails.
ACCEPTED = {
    ("B101", "api/"): "an assertion tells the type checker a fact, and decides nothing",
    ("B101", "trading/"): "an assertion states what the lines above have made sure",
    ("B105", "api/reference/common.py"): "the description of a token's id",
    ("B105", "api/kite/envelope.py"): "the words of a refusal",
    ("B105", "schemas/kite/users.py"): "the tokens that this service does not have are empty",
    ("B105", "schemas/examples.py"): "the id of a token in an example opens nothing",
    ("B104", "actors/exposition.py"): "a port that is closed unless asked for; on all interfaces only with a token",
    ("B104", "runtime/addresses.py"): "where the web server listens: a container's port leads nowhere else",
    ("B108", "config/"): "/dev/shm holds the processes' counts, in a folder that is refused when it is not ours",
    ("B108", "gunicorn.conf.py"): "/dev/shm holds gunicorn's own heartbeat file, which it creates unpredictably",
    ("B404", "api/commands/replay_command.py"): "the command starts a database server of its own",
    ("B603", "api/commands/replay_command.py"): "its arguments are constants",
    ("B101", "models/dumps.py"): "a statement without FROM has a row",
    ("B101", "models/partitions.py"): "a statement about a table that is there has a row",
    ("B608", "models/migrate.py"): "the text put together is the names of schemas that the service has chosen",
    ("B404", "models/dumps.py"): "backups are made by PostgreSQL's own programs",
    ("B603", "models/dumps.py"): "pg_dump and pg_restore are run without a shell, on the service's own database",
    ("B311", "trading/replay/clock.py"): "the identifiers of a replay are the same in every run, and open nothing",
    ("B608", "trading/"): "the text put together is constants of the same module; values travel as parameters",
}


@functools.cache
def read() -> list[dict[str, Any]]:
    """Return all findings of bandit."""
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-f", "json", *DEPLOYED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return results


def findings() -> list[str]:
    """Return the findings of bandit that are not in ACCEPTED."""
    return [
        f"{result['filename']}:{result['line_number']} {result['test_id']} {result['issue_text']}"
        for result in read()
        if not any(
            result["test_id"] == test and result["filename"].removeprefix("./").startswith(place)
            for test, place in ACCEPTED
        )
    ]


def advisories() -> tuple[list[str], int, int]:
    """Return known vulnerabilities, and how many packages were looked up and how many could not be."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    done = subprocess.run(
        [*command, "-f", "json", "-r", "requirements.txt"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], 0, 0
    looked_up = [package for package in packages if "skip_reason" not in package]
    known = [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in {', '.join(advisory['fix_versions'])}"
        for package in looked_up
        for advisory in package["vulns"]
    ]
    return known, len(looked_up), len(packages) - len(looked_up)


def main() -> int:
    """Print both reports and return 1 for a finding; a look-up that was not possible is no finding."""
    found = findings()
    print("bandit:", "nothing new" if not found else "\n  ".join(["", *found]))
    known, looked_up, skipped = advisories()
    if not looked_up:
        print("pip-audit: NOT DONE, no advisory service could be asked from here; run `make audit` where one can")
    else:
        print(f"pip-audit: {looked_up} packages looked up, {skipped} not, {len(known)} advisories", *known, sep="\n  ")
    return 1 if found or known else 0


if __name__ == "__main__":
    sys.exit(main())
