"""The server: what it serves, to whom, and what its API returns. The tabs are tested through the API."""

import json
import socket
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from mindone_tcd.cli import main
from mindone_tcd.demo.app import INSTALL, check_address, require_gradio
from mindone_tcd.errors import UsageError
from mindone_tcd.generate.any_record import read_any_record

ENDPOINTS = ["text_to_image", "text_to_image_int8", "image_to_image", "inpainting", "controlnet", "animate"]


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def ask(url, data=None, headers=None, method=None):
    """The status and the body of an answer; redirects are not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_arguments):
            return None

    opener = urllib.request.build_opener(Stay)
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_an_address_that_cannot_be_used(taken, connections):
    with pytest.raises(UsageError, match=rf"no server can listen on 127.0.0.1 port {taken} .*; choose another --port"):
        check_address("127.0.0.1", taken)
    with pytest.raises(UsageError, match=r"no server can listen on 203.0.113.7 port 1"):
        check_address("203.0.113.7", 1)


def test_without_gradio_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    with pytest.raises(UsageError, match="the demo needs gradio") as error:
        require_gradio()
    assert str(error.value).endswith(INSTALL)


@pytest.mark.slow
class TestServed:
    """A running demo."""

    @pytest.fixture
    def client(self, demo, tmp_path):
        from gradio_client import Client

        return Client(demo, verbose=False, download_files=str(tmp_path / "downloads"))

    @pytest.fixture
    def files(self, tmp_path):
        """The paths of an image, and of a mask of its left half."""
        image, mask = tmp_path / "square.png", tmp_path / "half.png"
        drawn = Image.new("RGB", (128, 128), (31, 153, 51))
        drawn.paste((222, 31, 36), (40, 40, 88, 88))
        drawn.save(image)
        half = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
        half.paste((255, 255, 255, 255), (0, 0, 64, 128))
        half.save(mask)
        return str(image), str(mask)

    def test_the_api_is_described(self, client):
        described = client.view_api(return_format="dict")["named_endpoints"]
        assert list(described) == [f"/{name}" for name in ENDPOINTS]
        names = [each["parameter_name"] for each in described["/text_to_image"]["parameters"]]
        assert names[:4] == ["prompt", "negative_prompt", "seed", "steps"]
        assert "https://" not in json.dumps(described)

    def test_an_image_is_that_of_the_command(self, client, tmp_path):
        prompt = "a small yellow star in the top left on a purple background"
        path, status, record = client.predict(prompt=prompt, seed=11, steps=3, width=96, api_name="/text_to_image")
        assert status.startswith("3 steps, ")
        assert read_any_record(path) == record
        out = tmp_path / "command.png"
        arguments = ["--seed", "11", "--steps", "3", "--size", "96x128", "--out", str(out)]
        assert main(["generate", prompt, *arguments]) == 0
        assert (pixels(out) == pixels(path)).all()
        assert main(["info", path, "--again", "--out", str(tmp_path / "again.png")]) == 0

    def test_the_int8_version(self, client, tmp_path):
        values = {"prompt": "a red circle on a blue background", "seed": 3, "steps": 2}
        usual, _, _ = client.predict(**values, api_name="/text_to_image")
        path, _, record = client.predict(**values, api_name="/text_to_image_int8")
        assert record["quantize"] == "int8"
        difference = np.abs(pixels(usual).astype(int) - pixels(path)).mean()
        assert 0 < difference < 8  # other weights, the same image
        assert main(["info", path, "--again", "--out", str(tmp_path / "again.png")]) == 0

    def test_an_image_from_an_image(self, client, files):
        from gradio_client import handle_file

        path, status, record = client.predict(
            prompt="a yellow circle on a blue background", image=handle_file(files[0]), steps=4, strength=0.5,
            api_name="/image_to_image",
        )  # fmt: skip
        assert record["inputs"][0]["name"] == "square.png"
        assert (record["strength"], record["width"]) == (0.5, 128)
        assert status.startswith("4 steps")
        assert pixels(path).shape == (128, 128, 3)

    def test_inpainting_changes_the_mask(self, client, files):
        from gradio_client import handle_file

        edited = {"background": handle_file(files[0]), "layers": [handle_file(files[1])], "composite": None}
        path, _, record = client.predict(
            prompt="a yellow star on a green background", image_and_mask=edited, steps=2, api_name="/inpainting"
        )
        assert [(each["slot"], each["name"]) for each in record["inputs"]] == [
            ("image", "image.png"),
            ("mask", "mask.png"),
        ]
        red, green, blue = pixels(path).astype(int).transpose(2, 0, 1)
        yellow = (red > 160) & (green > 140) & (blue < 110)
        assert yellow[:, :64].sum() > 200
        assert not yellow[:, 72:].any()

    @pytest.mark.parametrize("kind", ["canny", "normal"])
    def test_the_map_of_a_controlnet_is_returned(self, client, files, kind):
        from gradio_client import handle_file

        from mindone_tcd.generate.tasks.controls import drawn_map

        found, path, _, record = client.predict(
            prompt="a red square on a green background", image=handle_file(files[0]), kind=kind, steps=2,
            api_name="/controlnet",
        )  # fmt: skip
        with Image.open(files[0]) as image:
            assert (pixels(found) == np.asarray(drawn_map(kind, image.convert("RGB")))).all()
        assert record["parts"][0]["kind"] == kind
        assert pixels(path).shape == (128, 128, 3)

    def test_a_clip(self, client):
        path, status, record = client.predict(frames=4, steps=2, motion="zoom-in", api_name="/animate")
        assert path.endswith(".gif")
        assert status.startswith("4 frames, 2 steps")
        assert read_any_record(path) == record
        assert [part["role"] for part in record["parts"]] == ["motion-adapter", "motion"]
        with Image.open(path) as clip:
            assert clip.n_frames == 4

    def test_two_clients_at_once_get_their_own_images(self, demo, tmp_path):
        from gradio_client import Client

        prompts = {0: "a red circle on a blue background", 1: "a yellow star on a black background"}
        found, errors = {0: [], 1: []}, []

        def visit(number):
            try:
                client = Client(demo, verbose=False, download_files=str(tmp_path / str(number)))
                jobs = [
                    client.submit(prompt=prompts[number], seed=seed, steps=2, api_name="/text_to_image")
                    for seed in range(2)
                ]
                found[number] = [job.result(timeout=300) for job in jobs]
            except Exception as error:
                errors.append(error)

        visitors = [threading.Thread(target=visit, args=(number,)) for number in prompts]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        assert not errors
        from mindone_tcd import load

        pipe = load()
        for number, prompt in prompts.items():
            for seed, (path, _, record) in enumerate(found[number]):
                assert (record["prompt"], record["seed"]) == (prompt, seed)
                assert (np.asarray(pipe(prompt, seed=seed, steps=2)[0].image) == pixels(path)).all()

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"width": 100}, "size 100 is not divisible by 8, as the pipeline needs; try 96 or 104"),
            ({"steps": 20}, "Value 20 is greater than maximum value 8"),
            ({"prompt": "<b>" + "x" * 2000}, "the prompt has 2003 characters"),
            ({"method": "ddim"}, "'ddim'"),
        ],
    )
    def test_errors_are_readable(self, client, values, message):
        with pytest.raises(Exception, match=message):
            client.predict(**values, api_name="/text_to_image")

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/passwd",
            "../../../../../../etc/passwd",
            "/proc/self/environ",
            "setup.py",
            "{folder}/../../etc/passwd",
            "{folder}/..%2f..%2fetc/passwd",
            "{folder}",
            "/tmp",
            "{package}/version.py",
        ],
    )
    @pytest.mark.parametrize("route", ["/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/"])
    def test_no_file_of_the_host_is_served(self, demo, route, path):
        import os
        from pathlib import Path

        import mindone_tcd

        shown = path.format(folder=os.environ["GRADIO_TEMP_DIR"], package=Path(mindone_tcd.__file__).parent)
        status, body = ask(demo.rstrip("/") + route + shown)
        assert status in (403, 404, 405), body[:200]
        assert b"root:" not in body
        assert b"__version__" not in body

    def post(self, demo, name, data):
        """The events of a call that does not come from the client library, which would upload files first."""
        body = json.dumps({"data": data}).encode()
        status, answer = ask(f"{demo}gradio_api/call/{name}", body, {"Content-Type": "application/json"})
        assert status == 200, answer
        _, events = ask(f"{demo}gradio_api/call/{name}/{json.loads(answer)['event_id']}")
        return events.decode()

    @pytest.fixture
    def listener(self):
        """A local server that counts its visitors, and its address."""
        visits = []
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()

            def serve():
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    visits.append(1)
                    connection.close()

            threading.Thread(target=serve, daemon=True).start()
            yield f"http://127.0.0.1:{server.getsockname()[1]}/a.png", visits

    @pytest.mark.parametrize("field", ["path", "url", "both"])
    @pytest.mark.parametrize(
        "place", ["/etc/passwd", "http", "https://example.com/a.png", "data:image/png;base64,AAAA"]
    )
    @pytest.mark.parametrize("task", ["image_to_image", "controlnet", "inpainting"])
    def test_images_are_only_uploads(self, demo, listener, connections, task, place, field):
        address, visits = listener
        place = address if place == "http" else place
        before = len(connections)
        image = {"path": place if field != "url" else None, "url": place if field != "path" else None}
        image["meta"] = {"_type": "gradio.FileData"}
        form = ["a star", "", 0, 1, 0, "tcd", 0.3, False]
        last = {"image_to_image": [image, 0.5], "controlnet": [image, "canny", 1.0]}
        edited = {"background": image, "layers": [image], "composite": None}
        events = self.post(demo, task, [*form, *last.get(task, [edited, 1.0])])
        assert "event: error" in events
        assert "root:" not in events
        assert not visits
        assert connections[before:] == []

    def test_only_small_files_are_accepted(self, demo):
        boundary = "x" * 20
        for size, accepted in ((1 << 20, True), (10 * (1 << 20) + 5, False), (12 << 20, False)):
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'.encode()
            body = head + b"x" * size + f"\r\n--{boundary}--\r\n".encode()
            kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            try:
                status, _ = ask(f"{demo}gradio_api/upload", body, kind)
            except (urllib.error.URLError, ConnectionError):  # the server answers before it has read everything
                status = 413
            assert (status == 200) == accepted, (size, status)

    def test_other_sites_cannot_use_the_server(self, demo):
        port = demo.rstrip("/").rpartition(":")[2]
        assert ask(demo, headers={"Host": f"evil.example:{port}"})[0] == 421
        assert ask(demo, headers={"Host": f"localhost:{port}"})[0] == 200
        assert ask(f"{demo}gradio_api/file=http://example.com/")[0] == 403
        assert ask(f"{demo}gradio_api/proxy=https://example.com/")[0] == 403
        assert ask(f"{demo}monitoring/summary")[0] in (403, 404)

    def test_the_server_listens_only_on_this_machine(self, demo):
        port = int(demo.rstrip("/").rpartition(":")[2])
        with socket.socket() as other:
            other.settimeout(5)
            # Another address of the loopback network, which a server on all addresses would answer.
            assert other.connect_ex(("127.0.0.2", port)) != 0

    def test_the_example_of_the_documentation(self, demo, tmp_path, monkeypatch, files):
        """The two blocks of the tutorial, with the address of this server."""
        import re
        import shutil
        from pathlib import Path

        page = Path(__file__).parents[2] / "docs" / "tutorials" / "demo.md"
        blocks = re.findall(r"```py\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        code = "".join(blocks)
        assert "http://127.0.0.1:7860/" in code
        monkeypatch.chdir(tmp_path)
        shutil.copy(files[0], "in.png")
        shutil.copy(files[1], "mask.png")
        names = {}
        exec(compile(code.replace("http://127.0.0.1:7860/", demo), page, "exec"), names)
        assert read_any_record(names["star"])["task"] == "controlnet"
        assert names["record"]["task"] == "inpainting"

    def test_nothing_outside_this_machine_was_contacted(self, client, connections):
        assert [each for each in connections if "203.0.113.7" not in str(each)] == []
