"""A running demo, and what it connects to."""

import socket
import threading

import pytest


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.fixture(scope="session")
def connections():
    """The addresses outside this machine that this process tried to reach; each attempt fails."""
    found = []
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def local(host):
        return host in (None, "", "127.0.0.1", "::1", "localhost", b"127.0.0.1", "0.0.0.0")

    def watched_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not local(address[0]):
            found.append(address)
            raise OSError("no network in tests")
        return connect(self, address)

    def watched_getaddrinfo(host, *rest, **more):
        if not local(host):
            found.append(host)
            raise socket.gaierror("no network in tests")
        return getaddrinfo(host, *rest, **more)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", watched_connect)
    patch.setattr(socket, "getaddrinfo", watched_getaddrinfo)
    yield found
    patch.undo()


@pytest.fixture(scope="session")
def demo(connections):
    """The address of a running demo of the shipped models."""
    pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')
    from mindone_tcd.demo.app import serving
    from mindone_tcd.demo.options import Options

    with serving(Options(), port=free_port()) as address:
        yield address
    for thread in threading.enumerate():
        if thread.name == "mindone-tcd demo":
            assert thread.daemon
