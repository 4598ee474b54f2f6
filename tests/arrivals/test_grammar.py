"""What `--arrivals` may say, and what it answers to mistakes."""

import pytest

from glm_locust.arrivals import Renewal, Replay, parse
from glm_locust.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("poisson:12/s", Renewal(12, 1)),
        (" poisson:90/min ", Renewal(1.5, 1)),
        ("constant:1800/h", Renewal(0.5, 0)),
        ("gamma:12.5/s,cv=2", Renewal(12.5, 2)),
        ("ramp:2/s..20/s,over=5m", Renewal(2, 1, 20, 300)),
        ("ramp:2/s..20/s,over=90s,cv=0", Renewal(2, 0, 20, 90)),
        ("ramp:20/s..2/s,cv=2,over=1h", Renewal(20, 2, 2, 3600)),
        ("trace:requests.jsonl", Replay("requests.jsonl")),
        ("trace:a,b:c.csv,speed=10", Replay("a,b:c.csv", 10)),
    ],
)
def test_what_can_be_said(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "expected arrivals like poisson:12/s, ", 0),
        ("poison:12/s", "did you mean poisson?", 0),
        ("poisson", "expected arrivals like", 0),
        ("poisson:12", "expected a rate, like 12/s, 90/min or 500/h", 8),
        ("poisson:-1/s", "expected a rate", 8),
        ("poisson:0/s", "expected a rate above 0", 8),
        ("poisson:nan/s", "expected a rate", 8),
        ("poisson:1000000/s", "up to 10000/s", 8),
        ("poisson:12/s,cv=2", "expected nothing more after poisson", 13),
        ("gamma:12/s", "expected cv=2", 10),
        ("gamma:12/s,vc=2", "expected cv=... after gamma", 11),
        ("gamma:12/s,cv=2,cv=3", "cv is there twice", 16),
        ("gamma:12/s,cv=21", "from 0 to 20", 14),
        ("ramp:12/s,over=5m", "expected two rates, like 2/s..20/s", 5),
        ("ramp:2/s..20,over=5m", "expected a rate", 10),
        ("ramp:2/s..20/s", "how long the ramp takes", 14),
        ("ramp:2/s..20/s,over=5", "expected a duration above 0", 20),
        ("ramp:2/s..20/s,ovre=5m", "did you mean over?", 15),
        ("trace:", "expected the file of a trace", 6),
        ("trace:a.csv,speed=0", "expected a number above 0", 18),
    ],
)
def test_a_mistake_is_shown_at_its_place(text, message, place):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    problem, shown, caret = str(caught.value).split("\n")
    assert message in problem
    assert shown == f"  {text}"
    assert caret == f"  {' ' * place}^"
