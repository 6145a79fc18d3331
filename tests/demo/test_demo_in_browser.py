"""The page in a browser: runs, drawing, toasts, sizes and colors."""

import io
import json
import urllib.request
from urllib.parse import urlsplit

import browsers
import numpy as np
import pytest
from browsers import wait
from PIL import Image

from mindone_tcd.cli import main
from mindone_tcd.demo.offers import TITLES
from mindone_tcd.generate.png_record import read_record

pytestmark = pytest.mark.slow

DESKTOP, PHONE = (1280, 900), (390, 844)
TABS = list(TITLES.values())
SECONDS = 120
"""The longest wait for a run, on a busy machine."""


@pytest.fixture(scope="session")
def browser():
    # The field for masks draws with WebGL, which needs no graphics card here.
    yield from browsers.chromium("--enable-unsafe-swiftshader", "--use-angle=swiftshader")


@pytest.fixture
def page(browser, demo):
    """The page on a desktop, in light colors."""
    open_page(browser, demo)
    return browser


def open_page(browser, demo, size=DESKTOP, theme="light"):
    for kind in ("performance", "browser"):
        browser.get_log(kind)
    browsers.show(browser, size, phone=size == PHONE)
    browser.get(f"{demo}?__theme={theme}")
    wait(browser, lambda b: shown(b, ".run"), SECONDS)


def shown(browser, selector):
    """The visible elements."""
    return [each for each in browser.find_elements("css selector", selector) if each.is_displayed()]


def click(browser, element):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", element)


def show_tab(browser, name):
    def visible(b):
        return next((each for each in shown(b, "button[role=tab]") if each.text == name), None)

    click(browser, wait(browser, visible))
    wait(browser, lambda b: visible(b).get_attribute("aria-selected") == "true")
    wait(browser, lambda b: shown(b, ".run"))


def write(browser, text):
    (field,) = shown(browser, ".prompt textarea")
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))", field, ""
    )
    field.send_keys(text)


def run(browser, button=".run"):
    """Press the button, and return the status of the complete run."""
    before = [each.text for each in shown(browser, ".status")]
    click(browser, shown(browser, button)[0])

    def complete(b):
        now = [each.text for each in shown(b, ".status")]
        return next((text for old, text in zip(before, now, strict=True) if text != old and " s, seed " in text), None)

    return wait(browser, complete, SECONDS)


def result(browser):
    """The address of the file of a complete run. The status changes a little before the image, which is a preview."""

    def found(b):
        sources = [each.get_attribute("src") for each in shown(b, ".result img")]
        return next((source for source in sources if "seed" in source), None)

    return wait(browser, found)


def content(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def foreign(browser):
    """The requests to other hosts than this machine."""
    urls = [url for url in browsers.requests(browser) if url.startswith(("http", "ws"))]
    return [url for url in urls if urlsplit(url).hostname != "127.0.0.1"]


def test_a_prompt_becomes_the_image_of_the_command(page, tmp_path):
    prompt = "a large green heart on a yellow background"
    write(page, prompt)
    status = run(page)
    assert status.startswith("4 steps, ")
    data = content(result(page))
    out = tmp_path / "command.png"
    assert main(["generate", prompt, "--out", str(out)]) == 0
    assert (pixels(data) == pixels(out.read_bytes())).all()
    # The gallery and the list of files have the same file, with its record.
    source = result(page)
    assert wait(page, lambda b: [each.get_attribute("src") for each in shown(b, ".session img")][:1] == [source])
    link = wait(page, lambda b: shown(b, ".files a[href]"))[0].get_attribute("href")
    assert content(link) == data
    (tmp_path / "downloaded.png").write_bytes(data)
    assert read_record(tmp_path / "downloaded.png")["prompt"] == prompt
    assert foreign(page) == []


def test_the_int8_version_beside_the_model(page):
    assert run(page, ".run-int8").startswith("4 steps, ")
    assert run(page).startswith("4 steps, ")

    def addresses(b):
        found = [each.get_attribute("src") for each in shown(b, ".result img")]
        return len(found) == 2 and all("seed" in src for src in found) and found

    first, second = (pixels(content(src)).astype(int) for src in wait(page, addresses))
    assert 0 < np.abs(first - second).mean() < 8  # other weights, the same image
    images = wait(page, lambda b: len(each := shown(b, ".session .thumbnail-small")) == 2 and each)
    click(page, images[1])  # the older one
    click(page, next(each for each in shown(page, "button") if each.text.startswith("Record of")))
    wait(page, lambda b: '"int8"' in "".join(each.text for each in shown(b, ".run-record")))


def test_steps_are_shown_while_a_run_goes_on(page):
    page.execute_script(
        """
        window.seen = [];
        new MutationObserver(() => {
          for (const each of document.querySelectorAll(".status")) window.seen.push(each.innerText.trim());
        }).observe(document.body, {subtree: true, childList: true, characterData: true});
        """
    )
    run(page)
    seen = list(dict.fromkeys(page.execute_script("return window.seen")))
    steps = [text for text in seen if text.startswith("Step ")]
    assert steps
    assert set(steps) <= {f"Step {k} of 4 …" for k in range(1, 5)}


def test_a_run_can_be_stopped(page):
    show_tab(page, "AnimateDiff")
    click(page, shown(page, ".run")[0])
    wait(page, lambda b: any(each.text.startswith("Step ") for each in shown(b, ".status")), SECONDS)
    click(page, next(each for each in shown(page, "button") if each.text == "Stop"))
    wait(page, lambda b: {each.text for each in shown(b, ".status")} == {"Stopped"}, SECONDS)
    show_tab(page, "From text")
    assert run(page).startswith("4 steps, ")  # the device is free again


def test_an_example_fills_the_prompt(page):
    button = shown(page, ".examples button")[1]
    text = button.text
    click(page, button)
    wait(page, lambda b: shown(b, ".prompt textarea")[0].get_attribute("value") == text)


def test_a_random_seed(page):
    (box,) = [each for each in shown(page, "label") if each.text.strip() == "Randomize"]
    click(page, box)
    status = run(page)
    value = shown(page, ".seed input")[0].get_attribute("value")
    assert status.endswith(f"seed {value}")
    assert value != "0"  # one of 4,294,967,296


def test_an_error_is_a_toast(page):
    show_tab(page, "Inpainting")
    wait(page, lambda b: shown(b, ".editor canvas"), SECONDS)
    click(page, shown(page, ".run")[0])
    toast = wait(page, lambda b: shown(b, "[data-testid=toast-body]"), SECONDS)[0]
    assert "no mask is drawn; paint over the part of the image that should change" in toast.text


def test_a_warning_is_a_toast_and_markup_is_text(page):
    write(page, "a red <b>elephant</b> on a blue background")
    run(page)
    toast = wait(page, lambda b: shown(b, "[data-testid=toast-body]"), SECONDS)[0]
    assert "does not know" in toast.text
    assert not toast.find_elements("css selector", "[data-testid=toast-text] b")


def test_a_drawn_mask(page):
    from selenium.webdriver import ActionChains

    show_tab(page, "Inpainting")
    canvas = wait(page, lambda b: shown(b, ".editor canvas"), SECONDS)[0]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    wait(page, lambda b: "%" in shown(b, ".editor")[0].text)
    actions = ActionChains(page)
    for height in range(-60, 61, 15):
        actions.move_to_element_with_offset(canvas, -60, height).click_and_hold()
        actions.move_by_offset(60, 0).move_by_offset(60, 0).release()
    actions.perform()
    assert run(page).startswith("4 steps, ")
    links = wait(page, lambda b: [each.get_attribute("href") for each in shown(b, ".files a[href]")][:3])
    assert [link.rpartition("/")[2] for link in links[1:]] == ["image.png", "mask.png"]
    mask = pixels(content(links[2]))[..., 0]
    assert set(np.unique(mask)) == {0, 255}
    assert mask[64, 64] == 255  # the center is painted
    assert not mask[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    # The image has passed through the browser's canvas unchanged.
    from mindone_tcd.demo.examples import drawn

    assert (pixels(content(links[1])) == np.asarray(drawn("a red circle on a green background"))).all()
    red, green, blue = pixels(content(result(page))).astype(int).transpose(2, 0, 1)
    assert ((red > 160) & (green > 140) & (blue < 110)).sum() > 200  # the yellow star


def test_two_visitors_do_not_see_each_other(page, demo):
    write(page, "a red circle on a blue background")
    click(page, shown(page, ".run")[0])
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    try:
        open_page(page, demo)
        write(page, "a yellow star on a black background")
        run(page)
        images = {wait(page, lambda b: shown(b, ".session img"))[0].get_attribute("src")}
        assert pixels(content(result(page)))[0, 0].max() < 80  # black
    finally:
        page.close()
        page.switch_to.window(first)
    wait(page, lambda b: any(" s, seed " in each.text for each in shown(b, ".status")), SECONDS)
    assert pixels(content(result(page)))[0, 0].argmax() == 2  # blue
    mine = {each.get_attribute("src") for each in wait(page, lambda b: shown(b, ".session img"))}
    assert len(mine) == 1
    assert not mine & images


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_tab_fits_and_is_readable(browser, demo, size, theme):
    open_page(browser, demo, size, theme)
    for tab in TABS:
        show_tab(browser, tab)
        state = browser.execute_script(
            """
            const style = getComputedStyle(document.querySelector(".gradio-container"));
            const fits = element => element.getBoundingClientRect().right <= innerWidth + 1;
            let painted = document.querySelector(".gradio-container");
            while (painted.parentElement && getComputedStyle(painted).backgroundColor === "rgba(0, 0, 0, 0)")
              painted = painted.parentElement;
            const visible = element => element.offsetParent !== null;
            return {
              overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
              background: getComputedStyle(painted).backgroundColor,
              color: style.color,
              broken: [...document.images].filter(i => visible(i) && i.complete && !i.naturalWidth).map(i => i.src),
              outside: [...document.querySelectorAll("button.run, textarea, .result")].filter(visible)
                .filter(each => !fits(each)).length,
            };
            """
        )
        assert state["overflow"] <= 0, (tab, state)
        assert state["broken"] == [], tab
        assert state["outside"] == 0, tab
        background, color = (sum(map(float, json.loads(f"[{state[k][4:-1]}]")[:3])) for k in ("background", "color"))
        assert (background > 600 > 300 > color) if theme == "light" else (background < 150 < 500 < color), state
    assert foreign(browser) == []
    severe = [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert severe == []
