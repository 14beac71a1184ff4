"""The running service in a browser → docs/page.webp, the short animation of the README.

    make serve &
    python docs/record.py

Opens the page, tries the first sample photo, waits for the verdict and follows it to its album.
Needs Playwright and Chromium, as the tests of the page do. The same page gives the same frames, but
for how long an answer took: what is waited for is cut to `LONGEST_WAIT_S`.
"""

from __future__ import annotations

import argparse
import io
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

OUT = Path(__file__).with_name("page.webp")
WIDTH, HEIGHT = 1120, 700  # CSS pixels
SHOWN_WIDTH = 800
QUALITY = 72
MOST_BYTES = 600_000
LONGEST_WAIT_S = 0.8
MOST_FRAMES = 12  # of one wait
POINTER = "#ffd21f"


@dataclass
class Film:
    """Frames of one page, each with how long it stays, in seconds."""

    page: Any
    frames: list[Image.Image] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def take(self, seconds: float, tap: tuple[float, float] | None = None) -> None:
        """One more frame; `tap` is where a finger is drawn, in CSS pixels. One that looks like the
        last only prolongs it."""
        image = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        image = image.resize((SHOWN_WIDTH, HEIGHT * SHOWN_WIDTH // WIDTH), Image.Resampling.LANCZOS)
        if tap is not None:
            x, y = (value * SHOWN_WIDTH / WIDTH for value in tap)
            ImageDraw.Draw(image, "RGBA").ellipse(
                (x - 16, y - 16, x + 16, y + 16), fill=POINTER + "b0", outline="#111111", width=2
            )
        if self.frames and image.tobytes() == self.frames[-1].tobytes():
            self.seconds[-1] += seconds
            return
        self.frames.append(image)
        self.seconds.append(seconds)

    def tap(self, target: Any) -> None:
        """Shows where, then clicks."""
        box = target.bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.take(0.7, middle)
        target.click()

    def wait_for(self, selector: str) -> None:
        """A frame every fifth of a second until it is there."""
        first = len(self.frames)
        target = self.page.locator(selector).first
        for _ in range(MOST_FRAMES):
            if target.is_visible():
                break
            self.page.wait_for_timeout(200)
            self.take(0.2)
        target.wait_for()
        waited = sum(self.seconds[first:])
        if waited > LONGEST_WAIT_S:
            for at in range(first, len(self.seconds)):
                self.seconds[at] *= LONGEST_WAIT_S / waited

    def write(self, path: Path) -> None:
        first, *others = self.frames
        first.save(
            path,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=[round(1000 * seconds) for seconds in self.seconds],
            loop=0,
            quality=QUALITY,
            method=4,
        )


def record(url: str) -> Film:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce", locale="en-GB"
        )
        page.goto(url)
        sample = page.locator("#samples button").first
        sample.wait_for()
        page.locator("#shelf img").first.wait_for()
        page.wait_for_timeout(1_000)  # the covers
        film = Film(page)
        film.take(1.6)
        film.tap(sample)
        film.wait_for("#verdict .actions")
        page.wait_for_timeout(600)
        film.take(3.0)
        film.tap(page.locator("#verdict a[data-album]").first)
        film.wait_for("article.best .actions")
        page.wait_for_timeout(800)
        film.take(2.4)
        browser.close()
    return film


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://localhost:3000")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    film = record(given.url)
    film.write(given.out)
    size = given.out.stat().st_size
    print(f"{given.out}: {len(film.frames)} frames, {sum(film.seconds):.1f} s, {size:,} bytes")
    if size > MOST_BYTES:
        raise SystemExit(f"more than {MOST_BYTES:,} bytes: lower QUALITY or SHOWN_WIDTH")


if __name__ == "__main__":
    main()
