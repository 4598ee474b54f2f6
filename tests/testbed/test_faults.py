"""What `--fault` takes."""

import pytest

from glm_locust.errors import ConfigError
from glm_locust.testbed.faults import Fault, FaultKind, FaultSwitch, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("500", Fault(kind=FaultKind.SERVER_ERROR)),
        ("stall:seconds=5,count=2", Fault(kind=FaultKind.STALL, seconds=5, count=2)),
        (" cut : after_tokens = 0 ", Fault(kind=FaultKind.CUT, after_tokens=0)),
        ("delay:", Fault(kind=FaultKind.DELAY)),
    ],
)
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fire", "KIND one of delay, cut, 500, garbage, stall"),
        ("", "KIND one of"),
        ("cut:after", "expected NAME=VALUE"),
        ("cut:tokens=3", "unknown field `tokens`"),
        ("cut:count=x", "Expected `int`"),
        ("cut:count=0", "count >= 1"),
        ("delay:seconds=-1", "seconds >= 0"),
    ],
)
def test_a_bad_fault_is_told_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_fault(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faults_come_in_order_and_so_often() -> None:
    switch = FaultSwitch((Fault(kind=FaultKind.CUT, count=2),))
    switch.add((Fault(kind=FaultKind.STALL),))
    assert len(switch) == 3
    taken = [switch.take() for _ in range(4)]
    assert [fault.kind if fault else None for fault in taken] == ["cut", "cut", "stall", None]
