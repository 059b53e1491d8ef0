"""The parts of docs/performance.md and its pages that the results of a run fill."""

import re
from pathlib import Path
from typing import Any

from bench.parts.profiles import text
from bench.reports.page import GROWTH, committed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
FOLDER = PAGE.with_suffix("")
BEGIN, END = "<!-- written by `python -m bench.publish` -->", "<!-- until here -->"
PROFILES_HEAD = """# Where the time goes

Written by `python -m bench.publish`. The load of each figure was repeated for these profiles, outside its measurement.
py-spy samples one web process and the worker 200 times a second (in a process with many threads, the thread that holds
the interpreter). The server's connections are sampled 50 times a second. Processor time is that of the whole process
group. "Self time" is the share of a process's samples in which a function was innermost.
"""


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
