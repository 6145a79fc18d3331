"""The command ``demo``."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mindone_tcd.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "0"], "port is 0; expected an integer from 1 to 65535"),
        (["--port", "x"], "'x' is not an integer"),
        (["--keep", "0"], "--keep is 0; expected an integer of at least 1"),
        (["--controlnet", "canny"], "--controlnet is 'canny'; expected KIND=MODEL"),
        (["--controlnet", "canny=a/b", "--controlnet", "canny=c/d"], "and each kind once"),
        (["--model", "missing/folder/x"], "no model 'missing/folder/x'"),
        (["--model", "shapes-inpainting", "--motion-adapter", "a/b"], "AnimateDiff needs a model in the layout of"),
        (["--dtype", "int4"], "invalid choice"),
    ],
)
def test_bad_arguments(arguments, message, capsys):
    try:
        code = main(["demo", *arguments])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_arguments_are_checked_before_anything_slow_is_imported():
    code = (
        "import sys; from mindone_tcd.cli import main; assert main(['demo', '--controlnet', 'x']) == 2; "
        "assert not {'mindspore', 'mindone', 'gradio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_without_gradio(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["demo"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert 'install it: pip install -c constraints.txt -e ".[demo]"' in error


def test_a_port_that_is_taken(capsys):
    pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = str(server.getsockname()[1])
        assert main(["demo", "--port", port]) == 2
    assert f"no server can listen on 127.0.0.1 port {port}" in capsys.readouterr().err


@pytest.mark.slow
def test_it_serves_until_ctrl_c(tmp_path):
    pytest.importorskip("gradio", reason='the demo needs pip install -e ".[demo]"')
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mindone_tcd.cli", "demo", "--port", str(port)]

    def listen_to_ctrl_c():
        # Shells make the processes that they start in the background ignore it, and these processes' children.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=listen_to_ctrl_c
    ) as process:
        try:
            assert process.stdout.readline() == f"http://127.0.0.1:{port}/\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                assert b"mindone-tcd" in answer.read()
            assert list(tmp_path.glob("mindone-tcd-demo-*"))
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert not list(tmp_path.glob("mindone-tcd-demo-*"))
