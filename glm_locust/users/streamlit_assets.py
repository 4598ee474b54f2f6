"""PageAssets: what a browser loads beside the websocket, for load tests that want it on the wire."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

from gevent.pool import Pool

from glm_locust.protocols.streamlit.page import Page
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_page import PageFaultError, StreamlitPage

CONNECTIONS: Final = 6
"""What browsers open to one host at a time."""
MAX_FILES: Final = 200
_LINKS: Final = ("stylesheet", "modulepreload", "preload", "icon", "shortcut icon")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Files that were loaded together."""

    what: str
    """page or media."""
    files: int
    failed: int
    bytes_in: int
    """Bodies as they came over the wire, perhaps compressed."""
    took_ns: int


class PageAssets:
    """The files of one user's page; each is loaded once, as a browser with a cache does."""

    def __init__(self, page: StreamlitPage) -> None:
        self.loads: list[Loaded] = []
        """In the order of time; never part of a request's own times."""
        self._page = page
        self._known: set[str] = set()

    def load_page(self) -> None:
        """The index and the scripts and styles that it names, not what those load in their turn."""
        begun_ns = now_ns()
        try:
            text, size = self._page.fetch("/")
        except PageFaultError as fault:
            _log.warning("page not loaded: %s", fault)
            return
        named = _Links()
        named.feed(text)
        self._load("page", (_path(reference) for reference in named.found), begun_ns, 1, size)

    def load_media(self, page: Page) -> None:
        """The images that stand on the page now."""
        urls = [
            _path(image.url)
            for node in page
            if node.kind == "imgs" and not node.is_block
            for image in node.content.imgs
        ]
        if any(url is not None and url not in self._known for url in urls):
            self._load("media", urls, now_ns(), 0, 0)

    def _load(self, what: str, paths: Iterable[str | None], begun_ns: int, files: int, size: int) -> None:
        wanted = [path for path in dict.fromkeys(paths) if path is not None and path not in self._known]
        wanted = wanted[:MAX_FILES]
        self._known.update(wanted)
        sizes = Pool(CONNECTIONS).map(self._size, wanted)
        taken = [found for found in sizes if found is not None]
        loaded = Loaded(
            what=what,
            files=files + len(taken),
            failed=len(sizes) - len(taken),
            bytes_in=size + sum(taken),
            took_ns=now_ns() - begun_ns,
        )
        self.loads.append(loaded)
        seconds = loaded.took_ns / 1e9
        _log.info("%s loaded: %d files, %d bytes in %.3f s", what, loaded.files, loaded.bytes_in, seconds)

    def _size(self, path: str) -> int | None:
        try:
            return self._page.fetch(path)[1]
        except PageFaultError as fault:
            _log.warning("%s: %s", path, fault)
            return None


class _Links(HTMLParser):
    """The files that an index names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "script" and told.get("src"):
            self.found.append(told["src"] or "")
        elif tag == "link" and (told.get("rel") or "").lower() in _LINKS and told.get("href"):
            self.found.append(told["href"] or "")


def _path(reference: str) -> str | None:
    """The path below the page's own URL; None for what is elsewhere."""
    if urlsplit(reference).scheme or reference.startswith("//"):
        return None
    return urljoin("/", reference)
