import threading

import pytest
from web import redirect, serve

from mindone_tcd.errors import UsageError
from mindone_tcd.files import download
from mindone_tcd.files.download import fetch, is_url
from mindone_tcd.version import __version__


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def refused(url: str, message: str, most: int = 1000) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        fetch(url, "image", most)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a/b.png", True),
        ("HTTPS://a/b.png", True),
        ("file:///a.png", True),
        ("s3+x://a", True),
        ("a.png", False),
        ("C:\\a.png", False),
        ("/a://b", False),
        ("data:image/png;base64,AAAA", False),
    ],
)
def test_what_a_url_is(text, expected):
    assert is_url(text) is expected


def test_content_is_fetched_through_redirects():
    agents = []

    def ask(handler):
        agents.append(handler.headers["User-Agent"])
        redirect("/a%20%C3%A9.png?x=1")(handler)

    with serve({"/first": ask, "/a%20%C3%A9.png?x=1": b"content"}) as url:
        assert fetch(f"{url}/first", "image", 7) == b"content"
        assert fetch(f"{url}/a é.png?x=1", "image", 7) == b"content"
        assert fetch(f"{url}/a%20%C3%A9.png?x=1".replace("http", "HTTP"), "image", 7) == b"content"
    assert agents == [f"mindone-tcd/{__version__}"]


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://a/b.png", "s3://a/b.png", "://a", "data://x"])
def test_other_schemes_are_refused(url):
    refused(url, r"image '.*' is not a URL of http:// or https://; download the file and pass its path")


def test_a_password_is_refused_and_not_shown():
    with pytest.raises(UsageError, match="the URL of the image contains a user name") as caught:
        fetch("https://me:secret@host/a.png", "image", 10)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/hosts", "ftp://127.0.0.1/a.png", "data:text/plain,x", "//[", "/loop"])
def test_redirects_that_are_not_followed(target):
    with serve({"/loop": redirect(target)}) as url:
        refused(f"{url}/loop", r"image 'http://127.*/loop' cannot be downloaded \(.*; check the URL, or download")


def test_the_server_has_no_such_file():
    with serve({}) as url:
        refused(f"{url}/a.png", "cannot be downloaded .*404.*; check the URL, or download the file and pass its path")


@pytest.mark.parametrize("place", ["", ":0x", "[", "127.0.0.1:1/a", "127.0.0.1:99999/a", "\n\r"])
def test_addresses_that_cannot_be_reached(place):
    refused(f"http://{place}", "cannot be downloaded")


def test_a_large_content_is_not_read_to_its_end():
    ends = []

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(1 << 16))
        except OSError:
            ends.append(True)

    with serve({"/a": endless, "/b": bytes(1001)}) as url:
        refused(f"{url}/a", "has more than 1000 bytes; pass a smaller file")
        refused(f"{url}/b", "has more than 1000 bytes")
    assert ends == [True]


def test_a_connection_that_ends_early():
    def short(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x")

    with serve({"/a": short}) as url:
        refused(f"{url}/a", "the connection ended early")


def test_a_server_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", 0.05)
    done = threading.Event()
    with serve({"/a": lambda handler: done.wait(60)}) as url:
        refused(f"{url}/a", "timed out")
        done.set()


def test_a_server_that_sends_too_slowly(monkeypatch):
    monkeypatch.setattr(download, "_MOST_SECONDS", -1.0)
    with serve({"/a": b"content"}) as url:
        refused(f"{url}/a", "it takes more than -1 s")


def test_what_is_no_http():
    with serve({"/a": lambda handler: handler.wfile.write(b"SSH-2.0\r\n")}) as url:
        refused(f"{url}/a", "cannot be downloaded")
