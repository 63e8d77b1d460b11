"""`python -m deploy.demo.screenshots`: the README's pictures, taken from a demo that is running (`make run`).

Signs in as the demo's person, opens the pages as anybody would, and writes one PNG per picture, small enough for a
repository. Needs the extra `test` (Playwright) and a Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Error, Page, sync_playwright

from deploy.demo import pictures

HERE = Path(__file__).parent
LARGEST = 150_000  # bytes of a picture
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync")


@dataclass(frozen=True)
class Picture:
    """name: of the file. height: of the window. reach: goes to what is shown, from the first page on."""

    name: str
    height: int
    reach: Callable[[Page], None]


class NotReadyError(Exception):
    """The demo does not show what a picture is of; the message says what is missing."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("No Chromium was found. Debian, Ubuntu: apt install chromium", file=sys.stderr)
        return 1
    try:
        take(options.url.rstrip("/"), options.out, chromium, options.only)
    except (NotReadyError, Error) as error:
        print(f"{error}\nIs the demo running at {options.url}, and is its first job done?", file=sys.stderr)
        return 1
    return 0


def take(url: str, out: Path, chromium: str, only: Sequence[str] = ()) -> None:
    """Write the pictures into `out`. Raises NotReadyError, or Playwright's Error for a page that does not answer."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_context(color_scheme="light", reduced_motion="reduce").new_page()
        page.goto(f"{url}/")
        page.get_by_role("button", name="Sign in as demo").click()
        for picture in PICTURES:
            if only and picture.name not in only:
                continue
            page.set_viewport_size({"width": 1280, "height": picture.height})
            page.goto(f"{url}/boards/")
            picture.reach(page)
            page.wait_for_timeout(800)  # charts follow their boxes, and the live sign its socket
            file = out / f"{picture.name}.png"
            file.write_bytes(small(page.screenshot()))
            print(f"{file}: {file.stat().st_size:,} bytes")
        browser.close()


def _board(page: Page) -> None:
    page.locator("a.tile").first.click()
    page.locator("table.board tbody tr").nth(3).wait_for()


def _compare(page: Page) -> None:
    _board(page)
    boxes = page.locator(".board .pick")
    if boxes.count() < 3:
        raise NotReadyError("The board has fewer than three contenders.")
    boxes.nth(0).check()
    boxes.nth(2).check()
    page.locator("[data-tray-open]").click()
    page.locator(".compare-pairs").wait_for()


def _sample(page: Page) -> None:
    _board(page)
    page.locator(".board tbody tr").nth(2).locator("td a[data-c]").nth(1).click()
    # Its address, not a click: the list of samples is filled while the page settles.
    first = page.locator("#samples td a").first.get_attribute("href") or ""
    page.goto(urljoin(page.url, first))
    page.get_by_role("heading", name="Prompt").wait_for()


def _tournament(page: Page) -> None:
    _board(page)
    page.goto(f"{page.url.partition('?')[0]}tournament/")
    page.locator("table.tournament").wait_for()


def _schemes(page: Page) -> None:
    page.goto(page.url.replace("/boards/", "/jobs/new/"))
    page.get_by_role("heading", name="Submit a job").wait_for()


PICTURES = (
    Picture("board", 800, _board),
    Picture("compare", 1000, _compare),
    Picture("sample", 800, _sample),
    Picture("tournament", 1000, _tournament),
    Picture("submit", 900, _schemes),
)


def small(png: bytes) -> bytes:
    """The same picture with a palette: flat pages hardly need more. Raises NotReadyError if it stays large."""
    found = pictures.write(*pictures.reduced(pictures.read(png)))
    if len(found) > LARGEST:
        raise NotReadyError(f"A picture has {len(found):,} bytes; {LARGEST:,} is the limit. Show less of the page.")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo.screenshots", description="Takes the README's pictures."
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of the demo (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the pictures (default: deploy/demo)")
    parser.add_argument("only", nargs="*", help="names of pictures; all where left out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
