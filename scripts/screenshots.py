"""The console's pictures in docs/images, of a system that runs: `python scripts/screenshots.py --help`.

Chromium has to be installed. Those that are there show the shipped pipeline on `clock: stream`, after
`sluicegate simulate --days 14 --events-per-day 4000 --speed 7200`, while another day passed at `--speed 900`.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from console.cli.options import STATE_DIR
from training.keeper.client import KeeperClient

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1280, 960
TALL = {"overview": 1336, "decision": 1300}
"""What begins below the fold and is worth seeing."""
COLOURS = 256
MOST_BYTES = 120_000
PAGES = {
    "overview": "/",
    "review": "/review",
    "models": "/models",
    "features": "/features",
}
STOPPED = "/decisions?action=review&least=0.3"
FIRST_DECISION = "main table tbody a"


def main() -> int:
    """Take every picture; 1 where one is larger than docs want."""
    options = _options()
    with KeeperClient(options.state_dir) as keeper:
        link = keeper.console_link
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        print(f"none of {', '.join(BROWSERS)} is installed")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found, args=root) as browser,
    ):
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        page.goto(link)
        console = link[: link.index("/console/") + len("/console")]
        for name, path in PAGES.items():
            answer = page.goto(console + path)
            if answer is None or not answer.ok:
                print(f"{path} does not answer as it should: {answer and answer.status}")
                return 1
            _keep(page, options.out, name)
        page.goto(console + STOPPED)
        page.locator(FIRST_DECISION).first.click()
        _keep(page, options.out, "decision")
    large = [path.name for path in options.out.glob("*.png") if path.stat().st_size > MOST_BYTES]
    for name in large:
        print(f"{name} has more than {MOST_BYTES:,} bytes")
    return 1 if large else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, default=STATE_DIR, help="of the system that runs")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    return parser.parse_args()


def _keep(page: Page, folder: Path, name: str) -> None:
    """The page as it stands, once nothing more is loading, with as few colours as it needs."""
    path = folder / f"{name}.png"
    page.set_viewport_size({"width": WIDTH, "height": TALL.get(name, HEIGHT)})
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
