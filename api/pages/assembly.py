"""Assemble a page from its file: versions in the addresses, and a hint for each module that it needs at once."""

import functools
import posixpath
import re

from .static_files import read_static

STATIC = "/static/"
MODULE_SCRIPT = re.compile(r'<script src="/static/([^"]+)" type="module"></script>')
LATER_LINK = re.compile(r'<link rel="later" href="/static/([^"]+)">\n')
# A static import, of one line or several; import() is asked for when it is needed.
IMPORT = re.compile(r'^(?:import|export)\s(?:[^"\';]*?\sfrom\s)?"(\.{1,2}/[^"]+)"', re.MULTILINE)


@functools.lru_cache(maxsize=8)
def assemble(text: str, version: str) -> str:
    """Return a page with versioned addresses, and with hints for the modules that its own modules import.

    Without the hints a browser would find the modules import by import, one round trip for each level. Those of a
    `<link rel="later">` are listed, and the page asks for them when it has been painted.
    """
    now = [name for script in MODULE_SCRIPT.findall(text) for name in needed_modules(script)]

    def hinted(script: re.Match[str]) -> str:
        return _links("modulepreload", needed_modules(script[1])[1:]) + script[0]

    def listed(link: re.Match[str]) -> str:
        return _links("later", [name for name in needed_modules(link[1]) if name not in now])

    text = LATER_LINK.sub(listed, MODULE_SCRIPT.sub(hinted, text))
    return text.replace(f'"{STATIC}', f'"{STATIC}v-{version}/')


def needed_modules(name: str) -> list[str]:
    """Return a module and all that it imports statically, level by level."""
    names = [name]
    for module in names:
        content = read_static(module)
        text = content.body.decode() if content else ""
        found = (posixpath.normpath(posixpath.join(posixpath.dirname(module), path)) for path in IMPORT.findall(text))
        names.extend(found_name for found_name in dict.fromkeys(found) if found_name not in names)
    return names


def _links(relation: str, names: list[str]) -> str:
    return "".join(f'<link rel="{relation}" href="{STATIC}{name}">\n' for name in names)
