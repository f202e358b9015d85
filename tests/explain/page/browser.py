"""Debian's chromium, started for a test, with no way to any network."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

__all__ = ["DESKTOP", "PHONE", "Screen", "open_browser"]

DESKTOP = (1440, 1000)
PHONE = (390, 844)

_OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-software-rasterizer",  # nothing here looks at pixels
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class Screen:
    """A browser's window, and what a reader does in it."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def size(self, size: tuple[int, int], *, dark: bool = False, media: str = "") -> None:
        """Show pages on a screen of this size, light or dark, or as they are printed."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self._tell("Emulation.setDeviceMetricsOverride", {**metrics, "mobile": width < 800})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})

    def _tell(self, command: str, values: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(command, values)

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a page afresh, from its file."""
        self.driver.get("about:blank")
        self.driver.get(page.as_uri() + fragment)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until the records are unpacked and shown."""
        self.wait_until(lambda: self.run("return document.documentElement.dataset.ready"))

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds, for half a minute at most."""
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 30, 0.02).until(lambda _: holds())

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def click(self, selector: str) -> None:
        # Through the document: what is above the fold is none of these tests' business.
        self.run("document.querySelector(arguments[0]).focus()", selector)
        self.run(
            "document.querySelector(arguments[0])"
            ".dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))",
            selector,
        )

    def press(self, keys: str) -> None:
        """Type into whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(keys).perform()

    def search(self, text: str) -> None:
        """Put a text into the search box, and leave the box at once rather than wait for it."""
        self.run(
            "const box = document.getElementById('q'); box.value = arguments[0];"
            "box.form.requestSubmit()",
            text,
        )

    def text(self, selector: str) -> str:
        found: str = self.run("return document.querySelector(arguments[0]).textContent", selector)
        return found

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.run(
            "return Array.from(document.querySelectorAll(arguments[0]), (e) => e.textContent)",
            selector,
        )
        return found

    def count(self) -> str:
        return self.text("#count")

    def ids(self) -> list[str]:
        return self.texts("#body .c-id")

    def is_visible(self, selector: str) -> bool:
        found: bool = self.run(
            "const e = document.querySelector(arguments[0]); return !!e && e.checkVisibility()",
            selector,
        )
        return found

    def overflow(self) -> int:
        """Give how many pixels the page is wider than its window."""
        found: int = self.run("return document.documentElement.scrollWidth - innerWidth")
        return found

    def complaints(self) -> list[str]:
        """Take what the browser wrote to its console since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def open_browser() -> Iterator[Screen]:
    """Start the browser; a test that wants it is skipped where there is none."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip('no browser: "apt-get install chromium chromium-driver"')
    webdriver = pytest.importorskip("selenium.webdriver")
    service = pytest.importorskip("selenium.webdriver.chrome.service")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for option in _OPTIONS:
        options.add_argument(option)
    if os.geteuid() == 0:  # as in a container: chromium's sandbox refuses root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=service.Service(driver))
    try:
        screen = Screen(chrome)
        screen.size(DESKTOP)
        yield screen
    finally:
        chrome.quit()
