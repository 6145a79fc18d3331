"""The built site in a browser: wide and narrow, light and dark, in both languages."""

from pathlib import Path
from urllib.parse import urlsplit

import browsers
import pages
import pytest
from browsers import requests, wait

pytestmark = pytest.mark.slow

DESKTOP, PHONE = (1280, 900), (390, 844)
LANGUAGES = ("", "zh/")


def address(page: Path) -> str:
    """The address of a page, relative to that of the site."""
    name = page.relative_to(pages.DOCS).with_suffix("").as_posix()
    return "" if name == "index" else f"{name}/"


PAGES = [address(page) for page in pages.english_pages()[1:]]
TUTORIALS = [name for name in PAGES if name.startswith("tutorials/")]

STATE = """
const wide = [...document.querySelectorAll(".md-typeset table:not(.highlighttable)")].filter(table => {
  const frame = table.closest(".md-typeset__scrollwrap");
  if (!frame) return table.getBoundingClientRect().right > innerWidth;
  const box = frame.getBoundingClientRect();
  return box.left < 0 || box.right > innerWidth || getComputedStyle(frame).overflowX !== "auto";
});
return {
  language: document.documentElement.lang,
  scheme: document.body.dataset.mdColorScheme,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  broken: [...document.images].filter(image => !(image.complete && image.naturalWidth)).map(image => image.src),
  wide: wide.map(table => table.innerText.slice(0, 60)),
  formulas: [...document.querySelectorAll(".arithmatex")].filter(each => !each.querySelector(".katex")).length,
  background: getComputedStyle(document.body).backgroundColor,
};
"""


def show(browser, size=DESKTOP, scheme="light"):
    browsers.show(browser, size, scheme, phone=size == PHONE)


@pytest.fixture
def chromium(browser):
    """The browser, without what an earlier test stored or logged."""
    for kind in ("performance", "browser"):
        browser.get_log(kind)
    browser.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "local_storage"})
    show(browser)
    return browser


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_readable(chromium, site, page):
    for language in LANGUAGES:
        for size in (DESKTOP, PHONE):
            for scheme in ("light", "dark"):
                show(chromium, size, scheme)
                if (size, scheme) in ((DESKTOP, "light"), (PHONE, "light")):
                    chromium.get(f"{site}{language}{page}")
                wait(chromium, lambda b: b.execute_script("return document.readyState") == "complete")
                expected = {"light": "default", "dark": "slate"}[scheme]
                wait(chromium, lambda b, e=expected: b.execute_script(STATE)["scheme"] == e)
                state = chromium.execute_script(STATE)
                place = f"{language}{page} {size[0]} {scheme}"
                assert state["language"] == (language.strip("/") or "en"), place
                assert state["overflow"] <= 0, place
                assert state["broken"] == [], place
                assert state["wide"] == [], place
                assert state["formulas"] == 0, place
                red = int(state["background"].partition("(")[2].partition(",")[0])
                assert (red > 200) == (scheme == "light"), place
    hosts = {urlsplit(url).hostname for url in requests(chromium) if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
    severe = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"]
    # The theme looks for a sitemap beside each page, but does without it.
    assert [message for message in severe if "/sitemap.xml - Failed to load" not in message] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_language_switch_stays_on_the_page(chromium, site, page):
    chromium.get(f"{site}{page}")
    for language, code in (("zh/", "zh"), ("", "en")):
        link = chromium.find_element("css selector", f".md-header .md-select__link[hreflang={code}]")
        chromium.execute_script("arguments[0].click()", link)
        wait(chromium, lambda b, e=f"{site}{language}{page}": b.current_url.partition("#")[0] == e)


@pytest.mark.parametrize(("language", "title"), zip(LANGUAGES, pages.PUBLISHED, strict=True))
def test_tabs_are_linked_across_pages(chromium, site, language, title):
    script = """
    return [...document.querySelectorAll(".tabbed-set")].map(set => {
      const labels = [...set.querySelectorAll(":scope > .tabbed-labels > label")].map(label => label.innerText.trim());
      return labels[[...set.querySelectorAll(":scope > input")].findIndex(input => input.checked)];
    });
    """
    chromium.get(f"{site}{language}{TUTORIALS[0]}")
    label = wait(chromium, lambda b: b.find_element("xpath", f'//label[normalize-space()="{title}"]'))
    chromium.execute_script("arguments[0].scrollIntoView({block: 'center'})", label)
    wait(chromium, lambda b: set(b.execute_script(script)) != {title})
    label.click()
    wait(chromium, lambda b: set(b.execute_script(script)) == {title})
    for page in TUTORIALS[1:]:
        chromium.get(f"{site}{language}{page}")
        wait(chromium, lambda b: title in b.execute_script(script))


@pytest.mark.parametrize(
    ("language", "query", "expected"),
    [
        ("", "guidance embedding", "tutorials/text-to-image/"),
        ("", "load_lora", "adapters/"),
        ("zh/", "文生图", "zh/tutorials/text-to-image/"),
        ("zh/", "常见错误", "zh/common-mistakes/"),
        ("zh/", "随机种子", "zh/"),
    ],
)
def test_search_finds_in_both_languages(chromium, site, language, query, expected):
    chromium.get(f"{site}{language}")
    field = chromium.find_element("css selector", "input.md-search__input")
    chromium.execute_script("arguments[0].focus()", field)
    field.send_keys(query)

    def found(browser):
        links = browser.find_elements("css selector", ".md-search-result__link")
        return [each.get_attribute("href") for each in links]

    wait(chromium, found)
    paths = [url.removeprefix(site).partition("?")[0].partition("#")[0] for url in found(chromium)]
    assert [path for path in paths if path.startswith(expected)], paths
