"""Typed access to what a user wrote, in a TOML table or on a command line; every mistake is named."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import parse_qsl, urlsplit

from glm_locust.config.targets import Secret
from glm_locust.errors import ConfigError, did_you_mean

Parsed = TypeVar("Parsed")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_KEYS = ("api_key", "apikey", "jupyter_token", "token", "password", "secret")
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie", "x-api-key", "api-key")


class Settings:
    """One table of settings, read key by key; `close` then names the keys that nobody asked for.

    Each reader gives None where the key is absent and raises ConfigError where it is wrong.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        name: Callable[[str], str],
        *,
        from_text: bool = False,
        folder: Path | None = None,
    ) -> None:
        """`name` says how messages call a key; `from_text`: numbers and lists may come as text.

        File names are relative to `folder`.
        """
        self._values: dict[str, object] = {}
        self._written: dict[str, str] = {}
        for written, value in values.items():
            key = written.replace("-", "_")
            if key in self._written:
                raise ConfigError(
                    f"{name(written)}: the same as {self._written[key]}, which is there already"
                )
            self._written[key] = written
            if value is not None:
                self._values[key] = value
        self._name = name
        self._from_text = from_text
        self._folder = folder
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def fail(self, key: str, expected: str, *, show: bool = True, hint: str = "") -> NoReturn:
        """Raise the ConfigError for this key; `show` adds what was there instead."""
        got = f", got {_shown(self._values[key])}" if show and key in self._values else ""
        raise ConfigError(f"{self._name(self._written.get(key, key))}: expected {expected}{got}{hint}")

    def text(self, key: str) -> str | None:
        """A text that is not empty."""
        value = self._take(key)
        if value is not None and not (isinstance(value, str) and value.strip()):
            self.fail(key, "a text")
        return value if isinstance(value, str) else None

    def choice(self, key: str, choices: Iterable[str]) -> str | None:
        """One of some words."""
        choices = tuple(choices)
        value = self._take(key)
        if value is not None and value not in choices:
            self.fail(key, _listed(choices), hint=did_you_mean(value, choices))
        return value if isinstance(value, str) else None

    def whole(self, key: str, least: int) -> int | None:
        """A whole number, at least this."""
        value = self._take(key)
        if value is None:
            return None
        number = self._as_whole(value)
        if number is None or number < least:
            self.fail(key, f"a whole number of at least {least}")
        return number

    def wholes(self, key: str, least: int) -> tuple[int, ...] | None:
        """Different whole numbers, at least one."""
        items = self._items(key)
        if items is None:
            return None
        numbers = [self._as_whole(item) for item in items]
        found = tuple(number for number in numbers if number is not None and number >= least)
        if not found or len(found) < len(numbers) or len(set(found)) < len(found):
            example = "1,2,4" if self._from_text else "[1, 2, 4]"
            self.fail(key, f"different whole numbers of at least {least}, like {example}")
        return found

    def number(self, key: str, expected: str, allowed: Callable[[float], bool]) -> float | None:
        """A number that is allowed; `expected` says which are."""
        value = self._take(key)
        if value is None:
            return None
        if self._from_text and isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                self.fail(key, expected)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(key, expected)
        if not abs(value) < float("inf") or not allowed(value):
            self.fail(key, expected)
        return float(value)

    def seconds(self, key: str, *, zero: bool = False) -> float | None:
        """A duration; 0 only where `zero` says so."""
        if zero:
            return self.number(key, "a number of seconds, 0 or more", lambda value: value >= 0)
        return self.number(key, "a number of seconds above 0", lambda value: value > 0)

    def flag(self, key: str) -> bool | None:
        """True or false."""
        value = self._take(key)
        if value is not None and not isinstance(value, bool):
            self.fail(key, "true or false")
        return value if isinstance(value, bool) else None

    def words(self, key: str) -> tuple[str, ...] | None:
        """Different texts, at least one."""
        items = self._items(key)
        if items is None:
            return None
        found = tuple(item.strip() for item in items if isinstance(item, str) and item.strip())
        if not found or len(found) < len(items) or len(set(found)) < len(found):
            self.fail(
                key, "different words, like " + ("ocr,chart" if self._from_text else '["ocr", "chart"]')
            )
        return found

    def parsed(self, key: str, parse: Callable[[str], object]) -> tuple[str, ...] | None:
        """A text or a list of texts, each of which `parse` can read; its ConfigError is told as ours."""
        value = self._take(key)
        if value is None:
            return None
        found = tuple([value] if isinstance(value, str) else value if isinstance(value, list | tuple) else ())
        if not found or not all(isinstance(text, str) for text in found):
            self.fail(key, "a text or a list of texts", show=False)
        for text in found:
            try:
                parse(text)
            except ConfigError as error:
                raise ConfigError(f"{self._name(self._written[key])}: {error}") from None
        return found

    def phrase(self, key: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        """What `parse` reads of a text; its ConfigError is told as ours."""
        text = self.text(key)
        if text is None:
            return None
        try:
            return parse(text)
        except ConfigError as error:
            raise ConfigError(f"{self._name(self._written[key])}: {error}") from None

    def file(self, key: str) -> str | None:
        """The name of a file, made independent of where the settings stand."""
        name = self.text(key)
        return None if name is None else self.located(name)

    def located(self, name: str) -> str:
        """The name of a file that is relative to where the settings stand, made independent of that."""
        return name if self._folder is None else str(self._folder / Path(name).expanduser())

    def url(self, key: str) -> str | None:
        """An http or https URL that carries no secret."""
        value = self.text(key)
        return None if value is None else self._checked_url(key, value)

    def urls(self, key: str) -> tuple[str, ...] | None:
        """Different URLs, one or a list of them."""
        value = self._take(key)
        if value is None:
            return None
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not items:
            self.fail(key, "a URL or a list of URLs", show=False)
        found = []
        for item in items:
            if not isinstance(item, str) or not item.strip():
                self.fail(key, "a URL or a list of URLs", show=False)
            found.append(self._checked_url(key, item))
        if len(set(found)) < len(found):
            self.fail(key, "different URLs")
        return tuple(found)

    def _checked_url(self, key: str, value: str) -> str:
        value = value.strip()
        try:
            parts = urlsplit(value)
            valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            self.fail(key, "a URL like http://host:8080", show=False)
        if parts.username or parts.password:
            self.fail(key, "a URL without user name and password", show=False)
        if any("token" in name.lower() or "key" in name.lower() for name, _ in parse_qsl(parts.query)):
            self.fail(key, "a URL without a token; name a variable that holds it instead", show=False)
        if not valid:
            self.fail(key, "a URL like http://host:8080", show="@" not in value)
        if re.search(r"\s", value) or parts.fragment or parts.query:
            self.fail(key, "a URL without white space, '?' and '#'", show=False)
        return value

    def secret(self, prefix: str) -> Secret | None:
        """`<prefix>_env` or `<prefix>_file`: where a secret is found, never the secret itself."""
        variable = self._variable(f"{prefix}_env")
        file = self.file(f"{prefix}_file")
        if variable is not None and file is not None:
            self.fail(f"{prefix}_env", f"only one of {prefix}_env and {prefix}_file", show=False)
        return None if variable is None and file is None else Secret(variable, file)

    def headers(self, key: str) -> dict[str, str] | None:
        """A table of headers, or a list of `Name: value`."""
        value = self._take(key)
        if value is None:
            return None
        expected = "a table of texts" if isinstance(value, Mapping) else "texts like 'Name: value'"
        headers: dict[str, str] = {}
        for name, content in _header_pairs(value):
            if name.strip().lower() in _SECRET_HEADERS:
                rule = f"no secrets: in place of {name.strip()} use api_key_env, jupyter_token_env or cookies"
                self.fail(key, rule, show=False)
            if not isinstance(content, str) or re.search(r"[\r\n\0]", content):
                self.fail(key, expected, show=False)
            if not _HEADER.fullmatch(name.strip()):
                self.fail(key, f"a header name, got {name!r}", show=False)
            headers[name.strip()] = content.strip()
        return headers

    def cookies(self, key: str) -> dict[str, Secret] | None:
        """A table of `name = {env = ...}` or `name = {file = ...}`."""
        table = self.table(key)
        if table is None:
            return None
        found: dict[str, Secret] = {}
        for name in table._values:
            one = table.table(name)
            if one is None:
                continue
            env, file = one._variable("env"), one.file("file")
            if (env is None) == (file is None):
                table.fail(name, '{env = "NAME"} or {file = "NAME"}', show=False)
            one.close()
            found[table._written[name]] = Secret(env, file)
        return found

    def is_table(self, key: str) -> bool:
        """Whether a table stands there."""
        return isinstance(self._values.get(key), Mapping)

    def table(self, key: str) -> "Settings | None":
        """A table within this one."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.fail(key, "a table", show=False)
        outer = self._written[key]
        return Settings(
            value,
            lambda inner: self._name(f"{outer}.{inner}"),
            from_text=self._from_text,
            folder=self._folder,
        )

    def mapping(self, key: str) -> dict[str, object] | None:
        """A table of anything that JSON can say."""
        value = self._take(key)
        if value is None:
            return None
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            self.fail(key, "a table of what JSON can say", show=False)
        if not isinstance(value, Mapping):
            self.fail(key, "a table", show=False)
        return dict(value)

    def target(self, key: str) -> "Settings | None":
        """A table with a URL and more, or the URL alone."""
        if isinstance(self._values.get(key), str):
            self._known.add(key)
            written = self._written[key]
            return Settings({"url": self._values[key]}, lambda _: self._name(written), from_text=True)
        if key in self and not isinstance(self._values[key], Mapping):
            self.fail(key, "a URL or a table with a url", show=False)
        return self.table(key)

    def close(self) -> None:
        """Raise ConfigError for the first key that no reader asked for."""
        for key in self._values:
            if key in self._known:
                continue
            name = self._name(self._written[key])
            if key in _SECRET_KEYS:
                raise ConfigError(
                    f"{name}: a secret must not stand here, give the name of an environment variable "
                    f"or of a file with {key}_env or {key}_file"
                )
            raise ConfigError(f"{name}: unknown key{did_you_mean(key, sorted(self._known))}")

    def _take(self, key: str) -> object:
        self._known.add(key)
        return self._values.get(key)

    def _variable(self, key: str) -> str | None:
        value = self._take(key)
        if value is not None and not (isinstance(value, str) and _VARIABLE.fullmatch(value)):
            self.fail(key, "the name of an environment variable, not the secret itself", show=False)
        return value if isinstance(value, str) else None

    def _items(self, key: str) -> list[object] | None:
        value = self._take(key)
        if value is None:
            return None
        if self._from_text and isinstance(value, str):
            return list(value.split(","))
        return list(value) if isinstance(value, list | tuple) else [None]

    def _as_whole(self, value: object) -> int | None:
        if self._from_text and isinstance(value, str):
            text = value.strip()
            value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else None
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
            return None  # what has more than 64 bits could not travel to the workers
        return value


def _header_pairs(value: object) -> Iterator[tuple[str, object]]:
    """Names with contents; None stands for the content of what has none."""
    if isinstance(value, Mapping):
        yield from value.items()
        return
    for line in [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else [None]:
        name, colon, content = line.partition(":") if isinstance(line, str) else ("", "", "")
        yield name, content if colon else None


def _listed(choices: tuple[str, ...]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
