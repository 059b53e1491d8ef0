"""The static files as they are sent: compressed, kept by browsers, and asked for without detours."""

import gzip
import re
from typing import Any

import pytest

from api.pages import static_files
from api.pages.assembly import needed_modules

PACKED = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.mark.parametrize("path", ["/", "/ops", "/docs", "/static/desk/store.js", "/static/desk/desk.css"])
def test_a_page_and_its_files_are_compressed_for_browsers_that_accept_it(client: Any, path: str) -> None:
    plain, packed = client.get(path), client.get(path, headers=PACKED)
    assert (plain.status_code, packed.status_code) == (200, 200)
    assert ("Content-Encoding" in plain.headers, packed.headers["Content-Encoding"]) == (False, "gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != packed.headers["ETag"]
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert refused.data == plain.data
    for headers in ({}, PACKED):
        etag = client.get(path, headers=headers).headers["ETag"]
        assert client.get(path, headers={**headers, "If-None-Match": etag}).status_code == 304


def test_the_answers_of_the_api_are_not_compressed(client: Any, account: Any) -> None:
    answer = client.get("/api/trading/account", headers={**account().headers, **PACKED})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers


def test_browsers_keep_the_files_of_a_version(client: Any, monkeypatch: Any, tmp_path: Any) -> None:
    page = client.get("/").text
    (version,) = set(re.findall(r'="/static/v-([0-9a-f]{12})/', page))
    assert '="/static/v-' in page
    assert not re.search(r'="/static/(?!v-)', page)
    kept = client.get(f"/static/v-{version}/desk/main.js")
    assert kept.headers["Cache-Control"] == "public, immutable, max-age=31536000"
    assert kept.data == client.get("/static/desk/main.js").data
    # During a release a process may be asked for the version of another one.
    other = client.get("/static/v-000000000000/desk/main.js")
    assert (other.status_code, other.headers["Cache-Control"]) == (200, "no-cache")
    assert client.get(f"/static/v-{version}/../desk.py").status_code == 404

    monkeypatch.setattr(static_files, "STATIC_FOLDER", tmp_path)
    (tmp_path / "a.js").write_text("one")
    first = static_files.static_version()
    (tmp_path / "a.js").write_text("two, which is longer")
    assert static_files.static_version() != first


def test_the_page_names_each_module_once_and_those_of_its_first_paint_at_once(client: Any) -> None:
    page = client.get("/").text
    links = re.findall(r'<link rel="modulepreload" href="/static/v-\w+/([^"]+)"( fetchpriority="low")?>', page)
    names = [name for name, _ in links]
    assert len(names) == len(set(names))
    at_once = {name for name, is_low in links if not is_low}
    assert at_once == {*needed_modules("desk/main.js"), *needed_modules("desk/open.js")}
    assert {*needed_modules("desk/ticket/ticket.js"), *needed_modules("desk/later.js")} <= set(names)


def test_imports_of_every_form_are_found(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(static_files, "STATIC_FOLDER", tmp_path)
    (tmp_path / "main.js").write_text(
        'import { a,\n  b } from "./one.js";\nimport * as two from "./two.js";\nimport "./three.js";\n'
        'export { c } from "./four.js";\nconst later = () => import("./later.js");\n'
        '// import x from "./comment.js"\nconst text = \'import "./text.js"\';\n'
    )
    (tmp_path / "one.js").write_text('import { two } from "./two.js";\n')
    assert needed_modules("main.js") == ["main.js", "one.js", "two.js", "three.js", "four.js"]
