"""Calls of an operation as a command of the shell, as Python and as JavaScript.

The environment provides the address in TRADEPOST_URL and the credential in the variable that `credential` names, which
`make run` prints as lines to copy.
"""

import json
import re
from typing import Any, NamedTuple

Document = dict[str, Any]
INDENT = "  "


class Sample(NamedTuple):
    """A call in one language: the key of its tab, the name on the tab, and the text."""

    key: str
    language: str
    text: str


class Call(NamedTuple):
    """The parts of a call that are the same in every language; `secret` is the variable of its credential."""

    method: str
    path: str
    secret: str | None
    headers: dict[str, str]
    body: Any


def samples(operation: Document, body: Any) -> list[Sample]:
    """Return the calls of an operation with the body of its example, one for each language."""
    path = re.sub(r"\{(\w+)\}", lambda name: _value_of(operation, name[1]), operation["path"])
    required = [each["name"] for each in operation["parameters"] if each["in"] == "header" and each.get("required")]
    headers = {name: _value_of(operation, name) for name in required}
    call = Call(operation["method"], path, credential(operation), headers, body)
    return [
        Sample("curl", "curl", _curl(call)),
        Sample("python", "Python", _python(call)),
        Sample("javascript", "JavaScript", _javascript(call)),
    ]


def credential(operation: Document) -> str | None:
    """Return the name of the variable with the credential that an operation needs, or None if it needs none."""
    if not operation["security"]:
        return None
    ((scheme, scopes),) = operation["security"][0].items()
    if scheme == "token":
        return {"admin": "ADMIN_TOKEN", "feed": "FEED_TOKEN"}.get(next(iter(scopes), ""), "TRADEPOST_TOKEN")
    return "CRON_SECRET" if operation["path"].startswith("/api/cron/") else "METRICS_TOKEN"


def _curl(call: Call) -> str:
    lines = [f'curl -sS -X {call.method} "$TRADEPOST_URL{call.path}"']
    if call.secret:
        lines.append(f'-H "Authorization: Bearer ${call.secret}"')
    lines += [f"-H '{name}: {value}'" for name, value in call.headers.items()]
    if call.body is not None:
        quoted = json.dumps(call.body, ensure_ascii=False).replace("'", r"'\''")
        lines += ["-H 'Content-Type: application/json'", f"-d '{quoted}'"]
    return f" \\\n{INDENT}".join(lines)


def _python(call: Call) -> str:
    headers = [f"{name!r}: {value!r}" for name, value in call.headers.items()]
    if call.secret:
        headers.insert(0, f'"Authorization": f"Bearer {{os.environ[\'{call.secret}\']}}"')
    lines = [f'"{call.method}"', f'os.environ["TRADEPOST_URL"] + "{call.path}"']
    lines += [f"headers={{{', '.join(headers)}}}"] if headers else []
    lines += [f"json={_literal(call.body)}"] if call.body is not None else []
    arguments = "".join(f"    {line},\n" for line in lines)
    return f"import os\n\nimport httpx\n\nanswer = httpx.request(\n{arguments})\nprint(answer.status_code, answer.text)"


def _literal(body: Any) -> str:
    # With an indent each value that is no string ends its line.
    words = {"true": "True", "false": "False", "null": "None"}
    text = re.sub(r"\b(true|false|null)(?=,?$)", lambda found: words[found[1]], _indented(body, 4), flags=re.MULTILINE)
    return text.replace("\n", "\n    ")


def _indented(body: Any, indent: int) -> str:
    return json.dumps(body, indent=indent, ensure_ascii=False)


def _javascript(call: Call) -> str:
    headers = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in call.headers.items()]
    if call.body is not None:
        headers.insert(0, '"Content-Type": "application/json"')
    if call.secret:
        headers.insert(0, f"Authorization: `Bearer ${{process.env.{call.secret}}}`")
    lines = [f'method: "{call.method}"']
    lines += [f"headers: {{ {', '.join(headers)} }}"] if headers else []
    if call.body is not None:
        text = _indented(call.body, len(INDENT)).replace("\n", f"\n{INDENT}")
        lines.append(f"body: JSON.stringify({text})")
    options = "".join(f"{INDENT}{line},\n" for line in lines)
    return (
        f'const answer = await fetch(process.env.TRADEPOST_URL + "{call.path}", {{\n{options}}});\n'
        "console.log(answer.status, await answer.text());"
    )


def _value_of(operation: Document, name: str) -> str:
    """Return the example of a parameter."""
    (parameter,) = [each for each in operation["parameters"] if each["name"] == name]
    return str(parameter["schema"]["examples"][0])
