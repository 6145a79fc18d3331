"""The middleware of the server."""

import asyncio

import pytest

from mindone_tcd.demo.web import LOOPBACK, POLICY, Guard, host_of


async def app(scope, receive, send):
    """Answers with the number of bytes of the body, or not if the client is gone."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message["body"])
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": str(length).encode()})


def ask(path="/", headers=(), body=(b"",), hosts=LOOPBACK):
    """The status, the headers and the body of an answer."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    messages[-1]["more_body"] = False
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"host", b"127.0.0.1:7860"), *headers]}
    asyncio.run(Guard(app, hosts, 100)(scope, receive, send))
    if not sent:
        return None
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_answers_have_a_policy_that_forbids_other_hosts():
    status, headers, body = ask(body=(b"abc", b"d"))
    assert (status, body, headers[b"x"]) == (200, b"4", b"y")
    assert headers[b"content-security-policy"] == POLICY.encode()
    assert "http" not in POLICY
    assert "*" not in POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://a.b/c",
        "/gradio_api/file=HTTPS:/a",
        "/gradio_api/file%3Dhttp://a.b/c",
        "/gradio_api/file=file:///etc/passwd",
        "/gradio_api/proxy=http://a.b/c",
        "/gradio_api/stream/x",
        "/gradio_api/vibe-code/",
        "/gradio_api/deep_link",
        "/monitoring/summary",
    ],
)
def test_routes_that_the_demo_does_not_use_are_refused(path):
    assert ask(path)[0] == 403


def test_files_are_not_refused_here():
    assert ask("/gradio_api/file=/tmp/x/a.png")[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [(b"127.0.0.1", 200), (b"LOCALHOST:1", 200), (b"[::1]:7860", 200), (b"evil.example", 421), (b"", 421)],
)
def test_the_name_of_the_server(host, status):
    async def answer(scope, hosts):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b""}

        async def send(message):
            sent.append(message)

        await Guard(app, hosts, 100)(scope, receive, send)
        return sent[0]["status"]

    scope = {"type": "http", "path": "/", "headers": [(b"host", host)]}
    assert asyncio.run(answer(scope, LOOPBACK)) == status
    assert asyncio.run(answer(scope, None)) == 200


def test_hosts():
    assert [host_of(header) for header in ("a.b:80", "[::1]", "A", "a:b:c")] == ["a.b", "::1", "a", ""]


def test_long_bodies_are_refused():
    assert ask(headers=[(b"content-length", b"101")])[0] == 413
    assert ask(headers=[(b"content-length", b"-")])[0] == 400
    assert ask(body=(b"x" * 60, b"x" * 60)) is None  # of unknown length: the connection ends
