"""Build the page, and serve it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UsageError, first_line
from ..storage.own_files import temporary_folder
from .limits import HOURS_KEPT, MOST_BODY, MOST_BYTES, MOST_WAITING
from .offers import TITLES, Offer, offers
from .options import Options
from .web import LOOPBACK, Guard

HOST, PORT = "127.0.0.1", 7860
INSTALL = 'pip install -c constraints.txt -e ".[demo]"'


def require_gradio() -> None:
    """Import gradio, without its reports about use.

    Raises:
        UsageError: if it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the demo needs gradio ({first_line(error)}); install it: {INSTALL}") from error


def check_address(host: str, port: int) -> None:
    """Check, before anything is loaded, that a server can listen there.

    Raises:
        UsageError: if not; the message says why.
    """
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise UsageError(
            f"no server can listen on {host} port {port} ({why}); choose another --port, or an address of this machine "
            "as --host"
        ) from error


def build(options: Options, folder: Path) -> Any:
    """Return the page, a ``gradio.Blocks``.

    Args:
        options: what is served.
        folder: where uploads and images are stored.

    Raises:
        UsageError: if the model can do nothing, or gradio is missing.
    """
    found = offers(options)
    require_gradio()
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    import gradio as gr

    from .gallery import gallery
    from .runs import Runs

    runs = Runs(options, folder)
    seconds = HOURS_KEPT * 3600
    with gr.Blocks(
        title=f"mindone-tcd: {_name(options)}", analytics_enabled=False, delete_cache=(seconds // 6, seconds)
    ) as page:
        gr.Markdown(f"# mindone-tcd\n\nImages in a few steps, with the model **{_name(options)}**.")
        with gr.Tabs():
            tabs = {offer.task: gr.Tab(TITLES[offer.task], id=offer.task) for offer in found}
        common = gallery()
        for offer in found:
            with tabs[offer.task]:
                _add(offer, runs, common, folder)
    page.queue(max_size=MOST_WAITING, default_concurrency_limit=1, api_open=True)
    return page


def _name(options: Options) -> str:
    """Return the name of the model without its folders, which are nobody's business."""
    return Path(options.model).name if os.path.isdir(options.model) else options.model


def _add(offer: Offer, runs: Any, common: Any, folder: Path) -> None:
    from .tabs import animate, controlnet, image_to_image, inpainting, text_to_image

    if offer.task == "text-to-image":
        text_to_image.add(offer, runs, common)
    elif offer.task == "animate":
        animate.add(offer, runs, common)
    else:
        tab = {"image-to-image": image_to_image, "inpainting": inpainting, "controlnet": controlnet}[offer.task]
        tab.add(offer, runs, common, folder)


@contextlib.contextmanager
def serving(options: Options, host: str = HOST, port: int = PORT, share: bool = False) -> Iterator[str]:
    """Serve the page, and yield its address. The server ends with the context.

    Args:
        options: what is served.
        host: the address to listen on.
        port: the port.
        share: whether gradio makes the page public, through a server of its makers.

    Raises:
        UsageError: if an argument is invalid, or the server cannot start.
    """
    check_address(host, port)
    page = build(options, temporary_folder("demo"))
    from starlette.middleware import Middleware

    from .theme import HEAD, theme

    hosts = {*LOOPBACK, host} if host in LOOPBACK and not share else None
    try:
        _, local, public = page.launch(
            server_name=host,
            server_port=port,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            max_file_size=MOST_BYTES,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            inbrowser=False,
            footer_links=["api", "settings"],
            theme=theme(),
            head=HEAD,
            app_kwargs={"middleware": [Middleware(Guard, hosts=hosts, most=MOST_BODY)]},
        )
        yield public or local
    finally:
        page.close(verbose=False)
