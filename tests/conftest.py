"""What every test shares: which parts of the suite this machine can run."""

import os
import shutil
import signal
import warnings

import gevent.monkey
import pytest

PARTS = {
    "browser": (("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "prometheus": (("prometheus",), "prometheus"),
    "compiler": (("gcc",), "gcc libc6-dev"),
}
"""Marker -> (any of these programs must be there, Debian packages that bring one)."""


def _missing_parts() -> dict[str, str]:
    return {
        part: packages
        for part, (programs, packages) in PARTS.items()
        if not any(shutil.which(program) for program in programs)
    }


def pytest_configure(config: pytest.Config) -> None:
    """Locust patches the standard library as it is imported, which is too late in mid-collection.

    The exporter's own tests run without that when they are asked for alone, as `tests/suites.py` does.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Begun in the background of a shell; everything that a test starts would ignore Ctrl-C as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not all("tests/exporter" in argument for argument in config.args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gevent.monkey.MonkeyPatchWarning)
            gevent.monkey.patch_all()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = _missing_parts()
    left_out = {part for item in items for part in missing if item.get_closest_marker(part)}
    if left_out and os.environ.get("CI") == "true":
        needed = " ".join(sorted(missing[part] for part in left_out))
        pytest.exit(f"CI=true and tests would be left out; install: {needed}", returncode=2)
    for item in items:
        for part in left_out:
            if item.get_closest_marker(part):
                item.add_marker(pytest.mark.skip(reason=f"left out: needs {missing[part]}"))
