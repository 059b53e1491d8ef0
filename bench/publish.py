"""Publish the results of the last run: the table, plots and profiles of docs/performance.md."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from bench.parts.profiles import text
from bench.reports import plots
from bench.reports.page import GROWTH, LATEST, PUBLISHED, committed, section

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
FOLDER = PAGE.with_suffix("")
BEGIN, END = "<!-- written by `python -m bench.publish` -->", "<!-- until here -->"
PROFILES_HEAD = """# Where the time goes

Written by `python -m bench.publish`. The load of each figure was repeated for these profiles, outside its measurement.
py-spy samples one web process and the worker 200 times a second (in a process with many threads, the thread that holds
the interpreter). The server's connections are sampled 50 times a second. Processor time is that of the whole process
group. "Self time" is the share of a process's samples in which a function was innermost.
"""


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


def profiles_page(results: dict[str, Any]) -> str:
    """Return the page of the profiles."""
    parts = [PROFILES_HEAD, text(results["profiles"])]
    if grown := committed(GROWTH):
        for side, profiles in grown["profiles"].items():
            title = f"# With {grown['load']['orders'][side]:,} orders in the tables"
            parts += ["", title, "", text(profiles, level=3)]
    return "\n".join(parts) + "\n"


def with_section(page: str, written: str) -> str:
    """Return a page with the text between the marks replaced."""
    part = f"{BEGIN}\n\n{written}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: part, page, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
