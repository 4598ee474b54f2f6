"""Reads targets: from their tables, from bare URLs, and from the words that apply to several."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from glm_locust.config.page_settings import read_page_choices
from glm_locust.config.settings import Settings
from glm_locust.config.targets import ApiTarget, Deadlines, WebTarget

_URL = "a URL like http://host:8080"

Target = TypeVar("Target", ApiTarget, WebTarget)


def read_targets(
    settings: Settings, api: ApiTarget | None, web: WebTarget | None, web_jupyter: WebTarget | None
) -> tuple[ApiTarget | None, WebTarget | None, WebTarget | None]:
    """The targets with what the settings change; a target's own table comes before shared words."""
    shared = given(
        headers=settings.headers("header"),
        ca=settings.file("ca"),
        deadlines=given(total_s=settings.seconds("timeout")) or None,
    )
    no_think_tags = settings.flag("no_think_tags")
    api_shared = given(
        think_tags=None if no_think_tags is None else not no_think_tags,
        model=settings.text("model"),
        max_tokens=settings.whole("max_tokens", 1),
        api_key=settings.secret("api_key"),
    )
    page_shared = given(jupyter_token=settings.secret("jupyter_token"))
    api = _api(settings, api, shared | api_shared)
    web = _page(settings, "web", web, shared)
    web_jupyter = _page(settings, "web_jupyter", web_jupyter, shared | page_shared)
    if page_shared and web_jupyter is None:
        _refuse(settings, ("jupyter_token_env", "jupyter_token_file"), "web_jupyter")
    if api_shared and api is None:
        _refuse(settings, ("model", "max_tokens", "no_think_tags", "api_key_env", "api_key_file"), "api")
    if shared and api is None and web is None and web_jupyter is None:
        _refuse(settings, ("header", "ca", "timeout"), "api, web or web_jupyter")
    return api, web, web_jupyter


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _refuse(settings: Settings, keys: tuple[str, ...], needed: str) -> None:
    settings.fail(next(key for key in keys if key in settings), f"{needed} to be given as well", show=False)


def _api(settings: Settings, base: ApiTarget | None, shared: Mapping[str, Any]) -> ApiTarget | None:
    table = settings.target("api")
    if table is None:
        return base and _changed(base, shared)
    url = table.url("url") or (base.url if base else table.fail("url", _URL))
    own = _common(table) | given(
        model=table.text("model"),
        api_key=table.secret("api_key"),
        max_tokens=table.whole("max_tokens", 1),
        http_client=table.choice("http_client", ("gevent", "httpx")),
        think_tags=table.flag("think_tags"),
        extra_body=table.mapping("extra_body"),
    )
    table.close()
    return _changed(_changed(replace(base, url=url) if base else ApiTarget(url), shared), own)


def _page(
    settings: Settings, key: str, base: WebTarget | None, shared: Mapping[str, Any]
) -> WebTarget | None:
    table = settings.target(key)
    if table is None:
        return base and _changed(base, shared)
    url = table.url("url") or (base.url if base else table.fail("url", _URL))
    own = _common(table) | given(
        jupyter_token=table.secret("jupyter_token"),
        cookies=table.cookies("cookies"),
        **read_page_choices(table),
    )
    table.close()
    return _changed(_changed(replace(base, url=url) if base else WebTarget(url), shared), own)


def _common(table: Settings) -> dict[str, Any]:
    seconds: dict[str, float] | None = None
    if (deadlines := table.table("deadlines")) is not None:
        seconds = given(**{field.name: deadlines.seconds(field.name) for field in fields(Deadlines)})
        deadlines.close()
    return given(headers=table.headers("headers"), ca=table.file("ca"), deadlines=seconds)


def _changed(target: Target, changes: Mapping[str, Any]) -> Target:
    """Deadlines and headers are added to those that are there; all else replaces."""
    changes = dict(changes)
    if "headers" in changes:
        changes["headers"] = target.headers | changes["headers"]
    if "deadlines" in changes:
        changes["deadlines"] = replace(target.deadlines, **changes["deadlines"])
    return replace(target, **changes)
