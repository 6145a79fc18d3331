"""Store the screenshots of the demo that its tutorial shows. Needs Chromium and the extras [demo] and [docs].

python tools/docs/build_screenshots.py
"""

from __future__ import annotations

import argparse
import base64
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import build_images
import pages

FOLDER = pages.DOCS / "assets" / "demo"
SECONDS = 300
DESKTOP, PHONE = (1200, 860), (390, 844)


def start() -> Any:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    for argument in ("--headless=new", "--no-sandbox", "--enable-unsafe-swiftshader", "--use-angle=swiftshader"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def wait(browser: Any, script: str) -> None:
    """Wait until a script returns a true value."""
    end = time.monotonic() + SECONDS
    while not browser.execute_script(f"return {script}"):
        if time.monotonic() > end:
            raise TimeoutError(script)
        time.sleep(0.2)


def click(browser: Any, selector: str, text: str = "") -> None:
    browser.execute_script(
        "[...document.querySelectorAll(arguments[0])].find(each => each.offsetParent !== null && "
        "(!arguments[1] || each.textContent.trim() === arguments[1])).click()",
        selector,
        text,
    )


def open_page(browser: Any, address: str, size: tuple[int, int], theme: str) -> None:
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(f"{address}?__theme={theme}")
    wait(browser, "[...document.querySelectorAll('.run')].some(each => each.offsetParent !== null)")
    time.sleep(2)


def run(browser: Any, button: str) -> None:
    done = "[...document.querySelectorAll('.status')].filter(each => each.innerText.includes(' s, seed ')).length"
    before = browser.execute_script(f"return {done}")
    click(browser, button)
    wait(browser, f"{done} > {before}")
    time.sleep(2)


def store(browser: Any, name: str) -> None:
    """Store what the window shows."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, name)
        raw.write_bytes(base64.b64decode(shot))
        (FOLDER / name).write_bytes(build_images.optimized(raw))
    print(f"{name}: {(FOLDER / name).stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    from mindone_tcd.demo.app import serving
    from mindone_tcd.demo.options import Options

    FOLDER.mkdir(parents=True, exist_ok=True)
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    browser = start()
    try:
        with serving(Options(), port=port) as address:
            open_page(browser, address, DESKTOP, "light")
            run(browser, ".run")
            run(browser, ".run-int8")
            browser.execute_script("scrollTo(0, 0)")
            store(browser, "from-text.png")
            open_page(browser, address, DESKTOP, "dark")
            click(browser, "[role=tab]", "ControlNet")
            time.sleep(2)
            run(browser, ".run")
            browser.execute_script("scrollTo(0, 0)")
            store(browser, "controlnet-dark.png")
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
