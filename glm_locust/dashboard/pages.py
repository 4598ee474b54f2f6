"""The pages of the dashboard on Locust's web app: below `<base>/glm/`, and in Locust's own page and report.

Every view is behind Locust's login where that is on. No view tells more than figures, names and files of
the present run.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import gevent
import msgspec
from flask import Blueprint, Flask, Response, abort, make_response, request, send_from_directory
from flask_cors import cross_origin
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from glm_locust.dashboard.live import LiveRun
from glm_locust.dashboard.texts import texts

_HERE = Path(__file__).parent
STATIC = ("dashboard.css", "dashboard.js", "tab.js")
PLOTLY = "plotly.min.js"
FILES = ("report.html", "summary.md", "summary.json", "run.jsonl", "samples.jsonl.gz")
"""What of a run's directory may be had."""
SHOWN_INLINE = ("report.html",)
VIEWS = ("all", "llm", "gpu")
TABS = ("llm", "gpu")
_PLOTLY_MAX_AGE_S = 86_400
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A report is one file with scripts of its own, and asks for nothing."""
_IN_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""A script element ends at the first `</script`, whatever its JSON says."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The present run, or the last one."""

    live: LiveRun
    run_dir: Path


class WebUI(Protocol):
    """What we use of Locust's."""

    app: Flask | None
    template_args: dict[str, Any]

    def auth_required_if_enabled(self, view_func: Callable[..., Any]) -> Callable[..., Any]:
        """The view behind Locust's login, where that is on."""


class Pages:
    """Answers for one Locust web app.

    What is shown, the language, and why the last run that was asked for did not begin, are asked at every
    request.
    """

    def __init__(
        self,
        shown: Callable[[], Shown | None],
        language: Callable[[], str],
        refusal: Callable[[], str | None],
    ) -> None:
        self._shown = shown
        self._language = language
        self._refusal = refusal

    def mount(self, web_ui: WebUI, *, samples: bool) -> None:
        """Add routes, tabs and links, before the app answers its first request.

        `samples`: GPU or host samples are taken, so there is something for a GPU tab.
        """
        app = web_ui.app
        assert app is not None
        index = next(rule.rule for rule in app.url_map.iter_rules() if rule.endpoint == "locust.index")
        pages = Blueprint("glm", __name__, url_prefix=f"{index.rstrip('/')}/glm")
        for rule, view in (
            ("/", self._page),
            ("/data", self._data),
            ("/static/<name>", self._static),
            ("/files/<name>", self._file),
        ):
            # Locust lets pages of any origin read its own; ours are for their own origin.
            own_origin = cross_origin(origins=[], automatic_options=False)(view)
            pages.add_url_rule(rule, view.__name__.strip("_"), web_ui.auth_required_if_enabled(own_origin))
        pages.after_request(_secured)
        app.register_blueprint(pages)
        app.after_request(_with_tabs)
        words = texts(self._language())
        tabs = [{"title": words[f"tab.{key}"], "key": key} for key in TABS if samples or key != "gpu"]
        links = [("glm/", "page"), *((f"glm/files/{name}", name) for name in FILES)]
        offered = [{"href": f"./{href}", "title": words[f"file.{name}"]} for href, name in links]
        _extend(web_ui.template_args, "extended_tabs", tabs)
        _extend(web_ui.template_args, "extended_csv_files", offered)

    def _page(self) -> Response:
        view = request.args.get("view", "all")
        language = self._language()
        words = texts(language)
        page = _templates().get_template("dashboard.html.j2")
        body = page.render(
            language=language, t=words, words=_json(words), view=view if view in VIEWS else "all"
        )
        return make_response(body)

    def _data(self) -> Response:
        shown = self._shown()
        told: dict[str, Any] = {"run": None, "refusal": self._refusal()}
        if shown is not None:
            since = request.args.get("since", 0, type=int)
            for _ in shown.live.refresh():
                gevent.sleep(0)  # records go on coming
            known = request.args.get("run") == shown.live.run_id
            told = shown.live.snapshot(max(0, since) if known else 0)
            told["run"]["report"] = (shown.run_dir / "report.html").is_file()
        return Response(msgspec.json.encode(told), mimetype="application/json")

    def _static(self, name: str) -> Response:
        if name == PLOTLY:
            return send_from_directory(_plotly_bundle(), name, max_age=_PLOTLY_MAX_AGE_S)
        if name not in STATIC:
            abort(404)
        return send_from_directory(_HERE / "static", name)

    def _file(self, name: str) -> Response:
        shown = self._shown()
        if name not in FILES:
            abort(404)
        if shown is None or not (shown.run_dir / name).is_file():
            answer = make_response(texts(self._language())["file.none"].format(name=name), 404)
            answer.mimetype = "text/plain"
            return answer
        inline = name in SHOWN_INLINE
        answer = send_from_directory(shown.run_dir.absolute(), name, as_attachment=not inline)
        answer.headers["Content-Security-Policy"] = _REPORT_POLICY
        return answer


def report_section(live: LiveRun, language: str) -> str:
    """Our part of Locust's own HTML report: the table by path and task."""
    rows = live.snapshot(since=0)["rows"]
    section = _templates().get_template("section.html.j2")
    return section.render(t=texts(language), rows=rows, run_id=live.run_id, ms=_ms, name=_named)


def _named(words: Mapping[str, str], kind: str, identifier: str) -> str:
    return words.get(f"{kind}.{identifier}", identifier)


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "n/a"
    return f"{seconds * 1000:,.{1 if abs(seconds) < 0.09995 else 0}f}"


def _extend(arguments: dict[str, Any], key: str, more: Sequence[Mapping[str, str]]) -> None:
    arguments[key] = [*arguments.get(key, ()), *more]


def _secured(answer: Response) -> Response:
    """Headers for all our pages."""
    answer.headers.setdefault("Content-Security-Policy", _POLICY)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    if not answer.cache_control.max_age:
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _with_tabs(answer: Response) -> Response:
    """Locust's own page, with the script that fills our tabs."""
    if request.endpoint == "locust.index" and answer.status_code == 200 and answer.mimetype == "text/html":
        script = '<script src="./glm/static/tab.js" defer></script>'
        before, end, after = answer.get_data(as_text=True).rpartition("</body>")
        if end:
            answer.set_data(before + script + end + after)
    return answer


def _json(value: Any) -> Markup:
    return Markup(msgspec.json.encode(value).decode().translate(_IN_SCRIPT))  # noqa: S704  # escaped above


@cache
def _plotly_bundle() -> Path:
    """Where Plotly keeps its own JavaScript; found without importing it, which takes a second."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "package_data"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
