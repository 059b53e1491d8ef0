"""Assemble a page from its file: versions in the addresses, and a hint for each module that it needs at once."""

import functools
import posixpath
import re

from .static_files import read_static

STATIC = "/static/"
MODULE_LINK = re.compile(r'<link rel="modulepreload" href="/static/([^"]+)"( fetchpriority="low")?>')
STYLES = re.compile(r'(?:<link rel="stylesheet" href="/static/[^"]+">\n)+')
# A static import, of one line or several; import() is asked for when it is needed.
IMPORT = re.compile(r'^(?:import|export)\s(?:[^"\';]*?\sfrom\s)?"(\.{1,2}/[^"]+)"', re.MULTILINE)


@functools.lru_cache(maxsize=8)
def assemble(text: str, version: str) -> str:
    """Return a page with versioned addresses, one stylesheet, and a link for each module that its modules import.

    A browser would find the modules import by import, one round trip for each level.
    """
    listed: set[str] = set()

    def links(link: re.Match[str]) -> str:
        names = [name for name in needed_modules(link[1]) if name not in listed]
        listed.update(names)
        return "\n".join(f'<link rel="modulepreload" href="{STATIC}{name}"{link[2] or ""}>' for name in names)

    text = STYLES.sub(_as_one, text)
    return MODULE_LINK.sub(links, text).replace(f'"{STATIC}', f'"{STATIC}v-{version}/')


def needed_modules(name: str) -> list[str]:
    """Return a module and all that it imports statically, level by level."""
    names = [name]
    for module in names:
        content = read_static(module)
        text = content.body.decode() if content else ""
        found = (posixpath.normpath(posixpath.join(posixpath.dirname(module), path)) for path in IMPORT.findall(text))
        names.extend(found_name for found_name in dict.fromkeys(found) if found_name not in names)
    return names


def _as_one(links: re.Match[str]) -> str:
    names = re.findall(r'href="/static/([^"]+)"', links[0])
    return f'<link rel="stylesheet" href="{STATIC}{"+".join(names)}">\n'
