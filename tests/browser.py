"""A real browser for tests: the system's Chromium, offline."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENSHOTS = Path("build/screenshots")
TIMEOUT_MS = 120_000
"""For whatever a page does: other tests may keep the machine busy."""


def executable() -> str:
    """Path of Chromium; the test fails with the command that installs it if there is none."""
    path = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path or not shutil.which(path):
        pytest.fail("Chromium is missing (or $CHROME names none): apt-get install chromium", pytrace=False)
    return path


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclasses.dataclass
class Opened:
    """A page, and everything that went wrong in it."""

    page: Page
    problems: list[str]

    def screenshot(self, name: str, full_page: bool = True) -> None:
        """Leaves a picture for people under build/screenshots."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def open_file(browser: Browser, path: Path, width: int, dark: bool = False) -> Opened:
    """Opens a file offline in a window ``width`` pixels wide; requests that leave the file are problems."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, color_scheme="dark" if dark else "light"
    )
    context.set_default_timeout(TIMEOUT_MS)
    page, problems = context.new_page(), []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            problems.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None
        ),
    )
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("#pareto .main-svg .points path", state="attached")
    return Opened(page, problems)
