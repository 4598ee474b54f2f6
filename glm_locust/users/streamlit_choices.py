"""What a target says about its page, in the words of the protocol."""

import re

from glm_locust.config import AnswerChoice, Secret, WebTarget, WidgetChoice, WidgetSetting
from glm_locust.protocols.streamlit import (
    AnswerQuery,
    Setting,
    StreamlitSession,
    WidgetQueries,
    WidgetQuery,
)


def session_for(target: WebTarget, base_url: str) -> StreamlitSession:
    """A tab on the target's page; raises ConfigError for a secret value that is not there."""
    return StreamlitSession(
        f"{base_url}/",
        page=target.page,
        queries=WidgetQueries(
            prompt=_query(target.prompt_widget),
            upload=_query(target.upload_widget),
            submit=_query(target.submit_widget),
        ),
        answer=_answer(target.answer),
        settings=[_setting(setting) for setting in target.values],
        blur_rerun=target.blur_rerun,
    )


def secret_values(target: WebTarget) -> list[str]:
    """What no message may show."""
    read = (_read(setting) for setting in target.values if isinstance(setting.value, Secret))
    return [value for value in read if isinstance(value, str)]


def _query(choice: WidgetChoice) -> WidgetQuery:
    return WidgetQuery(choice.kind, choice.label, choice.key, choice.index, choice.name)


def _setting(setting: WidgetSetting) -> Setting:
    return Setting(_query(setting.widget), _read(setting))


def _read(setting: WidgetSetting) -> str | bool | int | float | tuple[str | int | float, ...]:
    value, widget = setting.value, setting.widget
    if isinstance(value, Secret):
        return value.read(f"value of {widget.name or widget.label or widget.key or widget.kind}") or ""
    return value


def _answer(choice: AnswerChoice) -> AnswerQuery:
    return AnswerQuery(
        path=tuple(map(int, choice.path.split("."))) if choice.path else (),
        container=choice.container or "",
        index=choice.index,
        pattern=re.compile(choice.pattern, re.DOTALL) if choice.pattern else None,
        in_expander=choice.in_expander,
    )
