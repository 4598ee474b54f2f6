"""The page as a browser would hold it: a tree of nodes, rewritten by script runs.

A *run* is one execution of the page's script; it sends every element again, each addressed by its
path of child indices (first index: 0 main, 1 sidebar, 2 event, 3 bottom). What a successful run has
not sent again is stale and goes. A *fragment run* executes a part of the script and makes only that
part's nodes stale.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from google.protobuf.unknown_fields import UnknownFieldSet

from glm_locust.errors import RemoteProtocolError, one_line
from glm_locust.protocols.streamlit.schema import FINISHED_FRAGMENT, FINISHED_OK, Wire

Path = tuple[int, ...]
Version = tuple[int, ...]

MAIN, SIDEBAR, EVENT, BOTTOM = range(4)
ALERT_ERROR = 1
MAX_NODES = 50_000
MAX_DEPTH = 64
MAX_KEPT_BYTES = 16 * 2**20
"""Of messages that a server may refer to; beyond it the oldest are forgotten."""
_MAX_UNKNOWN_KINDS = 20
NO_REFERENCES_SINCE: Version = (1, 45)
"""From here on the server refers only to messages that a client says it has kept; we never say so."""
_KEY = re.compile(r"\$\$[A-Z_]+-(?:[0-9a-f]{32}|[^-]*)-(.*)$", re.DOTALL)
_REFERENCE_AGE_MARGIN = 2
_DEFAULT_REFERENCE_AGE = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One element or block; `content` is the message of its kind, empty for kinds without fields."""

    path: Path
    kind: str
    content: Wire
    is_block: bool
    run: int
    fragment_id: str
    id: str = ""
    """Streamlit's own identifier; of blocks only those with a key have one."""

    @property
    def key(self) -> str | None:
        """The app's `key=`."""
        match = _KEY.match(self.id)
        return None if match is None or match.group(1) == "None" else match.group(1)


@dataclass(frozen=True, slots=True)
class PageName:
    """One page of a multipage app."""

    name: str
    url_path: str
    script_hash: str
    is_default: bool


@dataclass(slots=True)
class _Kept:
    message: Wire
    run: int
    size_bytes: int


class Page:
    """The state of one browser tab, fed with decoded messages."""

    def __init__(self) -> None:
        self.session_id = ""
        self.version: Version = ()
        self.script_hash = ""
        self.pages: tuple[PageName, ...] = ()
        self.running = False
        self.run = 0
        self.run_fragments: tuple[str, ...] = ()
        """Fragments that the present run executes; empty for a run of the whole script."""
        self.missing_references = 0
        self.not_understood: Counter[str] = Counter()
        """Messages and elements of kinds that were unknown when this was written, by field number."""
        self._nodes: dict[Path, Node] = {}
        self._kept: dict[str, _Kept] = {}
        self._kept_bytes = 0
        self._reference_age = _DEFAULT_REFERENCE_AGE

    def __iter__(self) -> Iterator[Node]:
        """All nodes in the order of the document."""
        return iter([self._nodes[path] for path in sorted(self._nodes)])

    def ancestors(self, path: Path) -> Iterator[Node]:
        """The blocks around a path, outermost first."""
        for depth in range(1, len(path)):
            node = self._nodes.get(path[:depth])
            if node is not None and node.is_block:
                yield node

    def clear(self) -> None:
        """The tab is loaded anew: nothing stands on it until a run has sent it."""
        self._nodes.clear()
        self.running = False

    def resolve(self, message: Wire) -> Wire | None:
        """The message itself, or the kept one that it refers to; None if that is not here."""
        if message.WhichOneof("type") != "ref_hash":
            if message.metadata.cacheable and message.hash and self.version < NO_REFERENCES_SINCE:
                self._keep(message)
            return message
        kept = self._kept.get(message.ref_hash)
        if kept is None:
            self.missing_references += 1
            self._keep_node(tuple(message.metadata.delta_path))
            return None
        kept.run = self.run
        whole = type(message)()
        whole.CopyFrom(kept.message)
        whole.metadata.CopyFrom(message.metadata)
        return whole

    def begin_run(self, message: Wire) -> None:
        """Take a `new_session` message: a run of the script has started."""
        new = message.new_session
        if new.initialize.session_id:
            self.session_id = new.initialize.session_id
        if new.initialize.environment_info.streamlit_version:
            self.version = parse_version(new.initialize.environment_info.streamlit_version)
        if new.config.max_cached_message_age > 0:
            self._reference_age = new.config.max_cached_message_age
        self.script_hash = new.page_script_hash or self.script_hash
        if new.app_pages:
            self.pages = _page_names(new.app_pages)
        self.run += 1
        self.running = True
        # 1.67 moved the identity of a run from the message to its metadata.
        self.run_fragments = tuple(new.fragment_ids_this_run) or tuple(message.metadata.run.fragment_ids)

    def finish_run(self, status: int) -> None:
        """Take a `script_finished` status: what a successful run has not sent again goes."""
        self.running = False
        if status == FINISHED_OK and not self.run_fragments:
            self._nodes = {path: node for path, node in self._nodes.items() if node.run >= self.run}
        elif status in (FINISHED_OK, FINISHED_FRAGMENT):
            self._nodes = {
                path: node
                for path, node in self._nodes.items()
                if node.run >= self.run or node.fragment_id not in self.run_fragments
            }
        oldest = self.run - self._reference_age - _REFERENCE_AGE_MARGIN
        for name in [name for name, kept in self._kept.items() if kept.run < oldest]:
            self._forget(name)

    def navigate(self, navigation: Wire) -> None:
        """Take a `navigation` message of `st.navigation`."""
        self.pages = _page_names(navigation.app_pages)
        self.script_hash = navigation.page_script_hash or self.script_hash

    def place(self, message: Wire) -> Node | None:
        """Take a `delta` message; returns the node it wrote, None where it wrote none."""
        path = tuple(message.metadata.delta_path)
        if len(path) > MAX_DEPTH:
            raise RemoteProtocolError(f"an element {len(path)} levels deep")
        delta = message.delta
        match delta.WhichOneof("type"):
            case "new_element":
                holder, is_block = delta.new_element, False
            case "add_block":
                holder, is_block = delta.add_block, True
            case _:
                # Transient elements (spinners since 1.53) lie over the page and take no place in it.
                return None
        kind = holder.WhichOneof("type") or ("container" if is_block else "unknown")
        if kind == "unknown":
            self.note_unknown("element", holder)
        content = getattr(holder, kind, None)
        old = self._nodes.get(path)
        if old is not None and old.is_block and not (is_block and old.kind == kind):
            self._drop_children(path)
        if old is None and len(self._nodes) >= MAX_NODES:
            raise RemoteProtocolError(f"a page of more than {MAX_NODES} elements")
        id_ = holder.id if is_block else getattr(content, "id", "")
        node = Node(path, kind, content, is_block, self.run, delta.fragment_id, id_)
        self._nodes[path] = node
        return node

    def note_unknown(self, what: str, message: Wire) -> None:
        """A message or element whose kind the schema does not have."""
        unknown = UnknownFieldSet(message)
        if len(unknown) and len(self.not_understood) < _MAX_UNKNOWN_KINDS:
            self.not_understood[f"{what} {unknown[0].field_number}"] += 1

    def news(self) -> str:
        """What of the page was not understood, as the beginning of a sentence; empty for nothing."""
        if not self.not_understood:
            return ""
        version = ".".join(map(str, self.version))
        return f"not understood of Streamlit {version}: {', '.join(sorted(self.not_understood))}; "

    def find_page(self, wanted: str) -> PageName | None:
        """The page with this name or URL path, without regard to case."""
        key = wanted.strip().strip("/").casefold()
        for page in self.pages:
            names = (page.url_path.casefold(), page.name.casefold(), page.name.replace("_", " ").casefold())
            if key in names:
                return page
        return None

    def _keep(self, message: Wire) -> None:
        self._forget(message.hash)
        kept = self._kept[message.hash] = _Kept(message, self.run, message.ByteSize())
        self._kept_bytes += kept.size_bytes
        while self._kept_bytes > MAX_KEPT_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._kept_bytes -= kept.size_bytes

    def _keep_node(self, path: Path) -> None:
        # The server believes that we have this message: what stands at its place is most likely it.
        old = self._nodes.get(path)
        if old is not None:
            self._nodes[path] = replace(old, run=self.run)

    def _drop_children(self, path: Path) -> None:
        depth = len(path)
        for child in [p for p in self._nodes if len(p) > depth and p[:depth] == path]:
            del self._nodes[child]


def error_of(node: Node) -> str | None:
    """What an exception or `st.error` on the page says, in one line; None for all other nodes."""
    if node.is_block:
        return None
    if node.kind == "exception" and not node.content.is_warning:
        return one_line(f"{node.content.type}: {node.content.message}")
    if node.kind == "alert" and node.content.format == ALERT_ERROR:
        return one_line(node.content.body) or "an error without text"
    return None


def parse_version(text: str) -> Version:
    """`1.52.2` as (1, 52, 2)."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", text)[:3])


def _page_names(pages: Wire) -> tuple[PageName, ...]:
    return tuple(
        PageName(
            name=page.page_name,
            url_path=page.url_pathname or page.page_name,
            script_hash=page.page_script_hash,
            is_default=page.is_default,
        )
        for page in pages
    )
