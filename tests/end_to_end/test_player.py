"""The player in real Chromium: decoders that break, lag or are missing, and what a stop takes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.end_to_end.browser import AVATAR, browser, open_tab

pytestmark = pytest.mark.browser


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    async with browser() as running:
        yield running


# a decoder that keeps six pictures back unless it is asked to decode in software, as some hardware does
LAGGING = """
const Real = VideoDecoder;
window.VideoDecoder = class {
  constructor({ output, error }) {
    this.kept = [];
    this.depth = 6;
    this.real = new Real({ error, output: (picture) => {
      this.kept.push(picture);
      if (this.kept.length > this.depth) output(this.kept.shift());
    } });
  }
  get state() { return this.real.state; }
  configure(options) {
    if (options.hardwareAcceleration === "prefer-software") this.depth = 0;
    this.real.configure(options);
  }
  decode(chunk) { this.real.decode(chunk); }
  close() { this.real.close(); }
};
"""

# one that fails at its 40th packet, once
BREAKING = """
const Real = VideoDecoder;
let packets = 0;
window.VideoDecoder = class extends Real {
  constructor(callbacks) { super(callbacks); this.fail = callbacks.error; }
  decode(chunk) {
    packets += 1;
    if (packets === 40) this.fail(new DOMException("broken", "EncodingError"));
    else super.decode(chunk);
  }
};
"""


async def test_a_decoder_that_breaks_is_replaced_at_the_next_key_frame(chromium, service):
    tab = await open_tab(chromium, service.http, before=BREAKING)
    await tab.page.wait_for_function("document.querySelector('#errors').textContent.includes('decoder: broken')")
    await tab.pictures_more(30)
    assert (await tab.figures())["softwareDecoding"] is True
    assert tab.console_errors == []


async def test_a_decoder_that_lags_is_changed_for_software(chromium, service):
    tab = await open_tab(chromium, service.http, before=LAGGING)
    await tab.page.wait_for_function(f"{AVATAR}.figures().softwareDecoding")
    await tab.pictures_more(20)
    assert "decoding in software" in await tab.page.inner_text("#errors")
    assert (await tab.figures())["queue"] <= 6
    assert tab.console_errors == []
