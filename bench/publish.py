"""Publish the results of the last run: the table, plots and profiles of docs/performance.md."""

import json
import sys

from bench.reports import plots
from bench.reports.page import GROWTH, LATEST, PUBLISHED, committed, section
from bench.reports.publication import FOLDER, PAGE, profiles_page, with_section


def main() -> int:
    """Publish the last run, or return 1 if one of its checks has failed.

    Without a run here, the published one stays, and the parts that are stored by themselves are shown anew.
    """
    results = json.loads((LATEST if LATEST.exists() else PUBLISHED).read_text())
    if results["wrong"]:
        print(f"not published: {results['wrong']}", file=sys.stderr)
        return 1
    PUBLISHED.write_text(json.dumps(results, indent=1) + "\n")
    FOLDER.mkdir(exist_ok=True)
    plots.draw(results, committed(GROWTH), FOLDER)
    (FOLDER / "profiles.md").write_text(profiles_page(results))
    PAGE.write_text(with_section(PAGE.read_text(), section(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
