"""What gunicorn refuses before it is a request is answered as everything else is: with a problem and an id."""

import http.client
import json
import socket

from tests.support.processes import wait_until

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


def test_a_refusal_before_the_application_is_an_error_of_kite_for_its_clients(web):
    for what, (method, path, headers, status) in EARLY.items():
        for start in ("/kite/quote?i=", "/quote?i=", "/?api_key=a&access_token=tp_secret"):
            link = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
            link.request(method, start + path, headers=headers | {"X-Kite-Version": "3"})
            answer = link.getresponse()
            assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json"), what
            refused = {"message": "The request cannot be read.", "error_type": "InputException"}
            assert json.loads(answer.read()) == {"status": "error", "data": None, **refused}
            link.close()


def test_a_token_in_an_address_that_cannot_be_read_is_not_logged(web):
    secret, earlier = "tp_Xq7731-of-an-address", len(web.log)
    for address in (
        f"/?api_key=a&access_token={secret} x",
        f"/kite/ticker?access_token={secret}\x01",
        f"/{secret}\x7f",
    ):
        link = socket.create_connection(("127.0.0.1", web.port), timeout=20)
        link.sendall(f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b" 400 " in link.recv(4096)
        link.close()
    wait_until(lambda: web.log[earlier:].count("Invalid request from") == 3)
    assert "Xq7731" not in web.log[earlier:]


def test_an_address_with_a_thousand_instruments_is_read(web):
    keys = "&".join(f"i=NSE:{'S' * 14}{number:03}" for number in range(1_000))
    link = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    link.request("GET", f"/quote/nothing?{keys}", headers={"X-Kite-Version": "3"})
    assert json.loads(link.getresponse().read())["message"] == "Route not found"
    link.close()


def test_an_address_with_two_hundred_long_symbols_is_read(web):
    keys = ",".join(f"NSE:{'S' * 28}{number:03}" for number in range(200))
    link = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    link.request("GET", f"/api/market/stocks?symbols={keys}")
    assert json.loads(link.getresponse().read())["code"] == "unauthenticated"
    link.close()
