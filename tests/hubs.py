"""Hubs for tests: a mirror of the Hugging Face hub on this machine, and a modelscope package that serves folders."""

import contextlib
import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace

COMMIT = "0" * 40


def cached_snapshot(cache, name):
    """Register a repository in a cache of the Hugging Face hub. Returns the folder of its files, which does not
    exist yet."""
    repository = Path(cache) / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return repository / "snapshots" / COMMIT


@contextlib.contextmanager
def mirror(repositories):
    """Serve folders by repository id. Returns the URL of the server, and the list of the requested paths."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.reply()

        do_GET = do_HEAD

        def reply(self):
            asked.append(f"{self.command} {self.path}")
            for name, folder in repositories.items():
                listing = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
                if self.path.startswith(f"/api/models/{name}"):
                    info = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in listing]}
                    return self.send(json.dumps(info).encode())
                file = self.path.removeprefix(f"/{name}/resolve/main/")
                if file in listing:
                    return self.send((folder / file).read_bytes())
            return self.send(b"", 200 if self.path == "/" else 404)

        def send(self, body, code=200):
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fake_modelscope(monkeypatch, repositories, cache):
    """Install a package modelscope with the functions that mindone_tcd calls. Returns the list of the requested
    files."""
    fetched = []

    def model_file_download(model_id, file_path, revision="master", cache_dir=cache, local_files_only=False):
        target = Path(cache_dir) / model_id / file_path
        if not target.is_file() and not local_files_only:
            fetched.append(file_path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repositories[model_id] / file_path, target)
        return str(target) if target.is_file() else None

    def snapshot_download(model_id, revision="master", cache_dir=cache, local_files_only=False):
        folder = Path(cache_dir) / model_id
        if not local_files_only or not folder.is_dir():
            raise ValueError("Cannot find the requested files in the cached path")
        return str(folder)

    class HubApi:
        def get_model_files(self, model_id, revision="master", root=None, recursive=False):
            root = repositories[model_id]
            return [
                {"Path": str(path.relative_to(root)), "Type": "blob" if path.is_file() else "tree"}
                for path in sorted(root.rglob("*") if recursive else root.glob("*"))
            ]

    modules = {
        "modelscope": {"snapshot_download": snapshot_download, "hub": SimpleNamespace()},
        "modelscope.hub": {},
        "modelscope.hub.api": {"HubApi": HubApi},
        "modelscope.hub.file_download": {"model_file_download": model_file_download},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        module.__path__ = []
        vars(module).update(members)
        monkeypatch.setitem(__import__("sys").modules, name, module)
    return fetched
