"""The page in headless Chromium: wide and narrow, light and dark, with screenshots."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reporting import compare, evaluate, power, synth

from sevedo.gen.config import preset
from sevedo.gen.report.blocks import Hierarchy
from sevedo.gen.report.documents import Compare, Evaluate, Power, Synth
from sevedo.gen.report.inputs import Inputs
from sevedo.gen.report.page import Options, render
from sevedo.gen.verilog.emitter import emit
from sevedo.hw.core.core import Core

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="Chromium is not installed: apt-get install chromium chromium-driver",
)

WINDOWS = {"wide": 1280, "narrow": 390}
PAGES = {"light": (255, 255, 255), "dark": (18, 21, 26)}
"""What the page's own colour is in each scheme."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page with everything on it, and one with nothing measured."""
    config = preset("tiny")
    hierarchy = Hierarchy(emit(Core(config)))
    full = Inputs(
        Synth.model_validate(synth(config)),
        (Evaluate.model_validate(evaluate(config)),),
        Compare.model_validate(compare(config)),
        (Power.model_validate(power(config)),),
    )
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, inputs in (("full", full), ("bare", Inputs())):
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(config, hierarchy, inputs, Options("tiny"), {"sevedo": "0.1.0"}))
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window, telling of every request and every word on its console."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # A container has neither a sandbox of its own nor much shared memory.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()


def show(browser: Any, page: Path, width: int, scheme: str) -> None:
    """Load a page in a window of that width in that colour scheme."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.as_uri())


@pytest.mark.parametrize("scheme", PAGES)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ["full", "bare"])
def test_it_looks_right(
    browser: Any, pages: dict[str, Path], tmp_path: Path, name: str, window: str, scheme: str
) -> None:
    width = WINDOWS[window]
    show(browser, pages[name], width, scheme)
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") == width, (
        "nothing sticks out"
    )
    assert browser.execute_script(_OUTSIDE) == [], "everything is within the window or a box that scrolls"
    assert browser.execute_script(_CUT) == [], "labels of drawings are within them"
    assert browser.get_log("browser") == []
    assert {url.split(":")[0] for url in _requests(browser)} <= {"file", "data"}

    image = _screenshot(browser, width)
    (tmp_path / f"{name}-{window}-{scheme}.png").write_bytes(image)
    from PIL import Image

    pixels = Image.open(io.BytesIO(image)).convert("RGB")
    assert pixels.size[0] == width
    assert pixels.getpixel((2, 2)) == PAGES[scheme]
    assert len(pixels.getcolors(1 << 24) or ()) > 100, "it is not blank"


@pytest.mark.parametrize("scheme", PAGES)
def test_every_text_can_be_read(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    for page in pages.values():
        show(browser, page, WINDOWS["wide"], scheme)
        weak = browser.execute_script(_CONTRAST)
        assert weak == [], "contrast of at least 4.5 to 1 (WCAG 2.1, AA)"


def test_a_block_leads_to_its_own_drawing(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["full"], WINDOWS["wide"], "light")
    opened = "return document.getElementById('d-integer_classes').open"
    assert not browser.execute_script(opened)
    script = "document.querySelector('#blocks a[href=\"#d-integer_classes\"]').dispatchEvent(new MouseEvent('click'))"
    browser.execute_script(script)
    assert browser.execute_script("return location.hash") == "#d-integer_classes"
    place = "return document.getElementById('d-integer_classes').getBoundingClientRect().top"
    assert 0 <= browser.execute_script(place) < 900


def _requests(browser: Any) -> list[str]:
    """Addresses of all that was asked for since the last time."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"
    ]


def _screenshot(browser: Any, width: int) -> bytes:
    """The whole page as a PNG."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 8000), "scale": 1}
    told = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(told["data"])


_OUTSIDE = """
const boxed = one => one.closest('.box, .draw, nav div, .bar');
return [...document.querySelectorAll('body *')].filter(one => {
  const place = one.getBoundingClientRect();
  return place.width > 0 && !boxed(one) && (place.right > innerWidth + 0.5 || place.left < -0.5);
}).map(one => one.outerHTML.slice(0, 120));
"""

_CUT = """
return [...document.querySelectorAll('svg text')].filter(one => {
  const place = one.getBoundingClientRect(), frame = one.ownerSVGElement.getBoundingClientRect();
  return place.width > 0 && (place.right > frame.right + 2 || place.left < frame.left - 2
    || place.bottom > frame.bottom + 2 || place.top < frame.top - 2);
}).map(one => one.textContent);
"""

_CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
                       return canvas.getImageData(0, 0, 1, 1).data; };
const light = color => [0.2126, 0.7152, 0.0722].reduce((sum, weight, place) => {
  const value = color[place] / 255;
  return sum + weight * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4); }, 0);
const behind = one => {
  if (one.ownerSVGElement) {
    const rect = one.closest('g, a')?.querySelector('rect');
    if (rect && getComputedStyle(rect).fill !== 'none') return rgb(getComputedStyle(rect).fill);
    one = one.ownerSVGElement.parentElement;
  }
  for (; one; one = one.parentElement) {
    const found = rgb(getComputedStyle(one).backgroundColor);
    if (found[3] === 255) return found;
  }
  return rgb('white');
};
const found = new Set();
for (const one of document.querySelectorAll('body *')) {
  const own = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || one.tagName === 'title' || !one.getClientRects().length) continue;
  const style = getComputedStyle(one);
  const text = light(rgb(one.ownerSVGElement ? style.fill : style.color)), back = light(behind(one));
  const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  const name = `${one.tagName}.${one.getAttribute('class')}`;
  if (ratio < 4.5) found.add(`${name}: ${ratio.toFixed(2)} ${one.textContent.slice(0, 30)}`);
}
return [...found];
"""
