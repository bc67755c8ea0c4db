"""Panning 4,096 x 4,096 pixels with 5,000 objects, drawn by software, with and without outlines.

`pytest -s` prints the frames a second, which depend on what else the machine does, so that nothing is asked of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from tests.review_page.browser.conftest import Opened, Opens, write_reviewed

pytestmark = pytest.mark.end_to_end
SIDE, ALONG = 4096, 71


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """Lumpy objects in a grid, 71 x 71, with the grey of their distance from the edge."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    step = SIDE / ALONG
    row, column = (y // step).astype(int), (x // step).astype(int)
    dy, dx = y - (row + 0.5) * step, x - (column + 0.5) * step
    number = row * ALONG + column + 1
    radius = 20 + 4 * np.sin(3 * np.arctan2(dy, dx) + number) + number % 5
    inside = np.hypot(dy, dx) < radius
    labels = np.where(inside, number, 0).astype(np.int32)
    noise = np.random.default_rng(0).normal(0, 60, labels.shape)
    image = np.clip(400 + 3000 * ndimage.gaussian_filter(inside.astype(np.float32), 3) + noise, 0, 65535)
    write_reviewed(tmp_path, "crowded", image.astype(np.uint16), labels)
    return tmp_path


# Drags the picture by pointer events for a second and a half: frames a second in which it moved, and the slowest frame.
# The browser begins no new frame before the graphics process has taken the earlier ones.
PANNING = """() => new Promise((resolve) => {
  const stage = document.querySelector('[data-testid=stage]');
  const box = stage.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const event = (type, right, down) => (type === 'mousedown' ? stage : window).dispatchEvent(
    new MouseEvent(type, { clientX: x + right, clientY: y + down, bubbles: true, cancelable: true, view: window }));
  const overlay = document.querySelector('.overlay > g');
  let [moved, place] = [0, ''];
  event('mousedown', 0, 0);
  const begin = performance.now();
  let [last, slowest] = [begin, 0];
  const frame = (now) => {
    const passed = (now - begin) / 1000;
    slowest = Math.max(slowest, now - last);
    last = now;
    if (place !== overlay.getAttribute('transform')) moved += 1;
    place = overlay.getAttribute('transform');
    event('mousemove', 200 * Math.sin(3 * passed), 150 * Math.cos(2 * passed) - 150);
    if (passed < 1.5) return requestAnimationFrame(frame);
    event('mouseup', 0, 0);
    resolve([moved / passed, slowest]);
  };
  requestAnimationFrame(frame);
})"""


def test_crowded_images_are_panned(open_review: Opens, crowded: Path) -> None:
    page = open_review(crowded)
    page.locator(".card a").click()
    opened = Opened(page).ready()
    expect(page.locator(".image-bar .facts")).to_contain_text(f"{ALONG * ALONG} objects", timeout=90_000)
    rates = {}
    for name, keys in {"whole image": "0", "50 %": "1-", "100 %": "1"}.items():
        for key in keys:
            page.keyboard.press(key)
        opened.ready()
        page.wait_for_timeout(500)
        page.evaluate(PANNING)  # what is seen for the first time is made ready
        opened.ready()
        rates[name] = page.evaluate(PANNING)
    page.keyboard.press("0")
    page.keyboard.press("o")
    page.evaluate(PANNING)
    rates["whole image, filled"] = page.evaluate(PANNING)
    page.keyboard.press("o")
    page.evaluate(PANNING)
    rates["whole image, no outlines"] = page.evaluate(PANNING)
    for name, (rate, slowest) in rates.items():
        print(f"{ALONG * ALONG} objects, {name}: {rate:.0f} frames a second, slowest {slowest:.0f} ms")
    assert all(rate > 0 for rate, _ in rates.values()), "it moves while it is panned"
