"""What gunicorn refuses before it is a request is answered as everything else is: with a problem and an id."""

import http.client
import json

EARLY = {
    "a line that is too long": ("GET", "/" + "a" * 40_000, {}, 414),
    "a header that is too long": ("GET", "/health/live", {"X-Long": "a" * 9_000}, 431),
    "a header with an illegal name": ("GET", "/health/live", {"X(Odd)": "a"}, 400),
}


def test_a_refusal_before_the_application_is_a_problem_too(web):
    for what, (method, path, headers, status) in EARLY.items():
        link = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
        link.request(method, path, headers=headers)
        answer = link.getresponse()
        problem = json.loads(answer.read())
        link.close()
        assert (answer.status, problem["status"], problem["code"]) == (status, status, "bad_request"), what
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.headers["X-Request-Id"]) == 32
        assert set(problem) == {"type", "title", "status", "detail", "instance", "code"}
        assert "unicorn" not in str(answer.headers) + str(problem)


def test_an_address_with_two_hundred_long_symbols_is_read(web):
    keys = ",".join(f"NSE:{'S' * 28}{number:03}" for number in range(200))
    link = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    link.request("GET", f"/api/market/stocks?symbols={keys}")
    assert json.loads(link.getresponse().read())["code"] == "unauthenticated"
    link.close()
