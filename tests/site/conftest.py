"""The scripts of tools/docs as modules, the built site on a local server, and a browser."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from browsers import chromium

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder of the site, built strictly: a warning, such as that of a broken link, is an error."""
    pytest.importorskip("mkdocs", reason='building the site needs pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("served") / "some" / "path"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def site(built):
    """The address of the site. It has a path, because links must not depend on the root of the server."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

    root = built.parents[1]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{built.relative_to(root).as_posix()}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium that records its requests and reaches only this machine."""
    yield from chromium("--disable-gpu")
