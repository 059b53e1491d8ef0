"""The calls that the reference shows run as they are printed."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from api.reference.docs_page import operations_of, request_example
from api.reference.samples import samples
from tests.support.processes import Running

NODE = shutil.which("node")
PROGRAMS = {
    "curl": lambda text: ["bash", "-c", text],
    "python": lambda text: [sys.executable, "-c", text],
    "javascript": lambda text: [str(NODE), "--input-type=module", "-e", text],
}


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_call_of_the_reference_places_an_order(language: str, client: Any, web: Running, account: Any) -> None:
    if language == "javascript" and NODE is None:
        pytest.skip("Node.js is not installed")
    document = client.get("/openapi.json").get_json()
    trader = account()
    (place,) = [each for each in operations_of(document, "orders") if each["operationId"] == "ordersPlace"]
    calls = {call.key: call.text for call in samples(place, request_example(document, place))}
    ran = subprocess.run(
        PROGRAMS[language](calls[language]),
        env=os.environ | {"TRADEPOST_URL": web.base_url, "TRADEPOST_TOKEN": trader.token},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout[ran.stdout.index("{") :])
    assert answer["order"]["symbol"] == "RELIANCE"


def test_python_and_json_write_the_same_values() -> None:
    operation = {"method": "POST", "path": "/x", "parameters": [], "security": []}
    body = {"yes": True, "no": False, "none": None, "text": "true,\nnull's \u20b9", "list": [None, {"deep": True}]}
    python = next(call.text for call in samples(operation, body) if call.key == "python")
    written = python[python.index("json=") + 5 : python.index(",\n)")]
    assert eval(written) == body
    curl = next(call.text for call in samples(operation, body) if call.key == "curl")
    printed = subprocess.run(["bash", "-c", "set -- " + curl + '; printf %s "${!#}"'], capture_output=True, text=True)
    assert json.loads(printed.stdout) == body
