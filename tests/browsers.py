"""A headless Chromium for tests."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


def chromium(*arguments: str) -> Iterator[Any]:
    """Start a Chromium that records its requests and reaches only this machine; end it afterwards.

    Skips the test if Chromium, its driver or selenium is missing.

    Args:
        arguments: more arguments of Chromium.
    """
    webdriver = pytest.importorskip("selenium.webdriver", reason='selenium is missing: pip install -e ".[docs]"')
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium is missing: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"),
        *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking"),
        *arguments,
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    started.set_script_timeout(120)  # a machine that is busy with other tests stops the browser for a while
    yield started
    started.quit()


def show(browser: Any, size: tuple[int, int], scheme: str = "light", phone: bool = False) -> None:
    """Set the size of the window in pixels and the preferred colors."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait(browser: Any, condition: Any, seconds: float = 60) -> Any:
    """Wait for a condition of the browser, and return its value. A page may replace elements while they are read."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    stale = [StaleElementReferenceException]
    return WebDriverWait(browser, seconds, poll_frequency=0.1, ignored_exceptions=stale).until(condition)


def requests(browser: Any) -> list[str]:
    """The addresses that the pages requested since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
