"""When a long play counts as steady."""

from dataclasses import replace

from tests.soak.verdict import Sample, complaints

STEADY = Sample(1, 10.0, 120.0, 300.0, 15.0, 1.0, 25.0, 0, 0, 0)


def minutes(count: int, **slopes: float) -> list[Sample]:
    return [
        replace(STEADY, minute=n, **{name: getattr(STEADY, name) + slope * n for name, slope in slopes.items()})
        for n in range(count)
    ]


def test_a_steady_play_has_nothing_to_complain_of():
    assert complaints(minutes(30)) == []


def test_memory_that_only_fills_its_pools_is_steady():
    start = [replace(STEADY, heap_mb=5.0, renderer_mb=60.0)] * 5
    assert complaints(start + minutes(25)) == []


def test_memory_that_keeps_growing_is_told():
    found = complaints(minutes(30, heap_mb=0.1, renderer_mb=0.25))
    assert [line.split()[0] for line in found] == ["heap_mb", "renderer_mb"]


def test_memory_that_trembles_is_steady():
    trembling = [replace(STEADY, renderer_mb=120 + 3 * (-1) ** n) for n in range(30)]
    assert complaints(trembling) == []


def test_lips_that_leave_the_sound_are_told_with_the_minute():
    found = complaints([*minutes(5), replace(STEADY, minute=6, lips_ms=-60.0)])
    assert found == ["lips_ms: -60 ms in minute 6"]


def test_a_minute_in_which_lips_were_not_measured_says_nothing_of_them():
    assert complaints([replace(STEADY, lips_ms=None)] * 5) == []


def test_a_picture_that_stands_still_is_told_and_a_slow_minute_is_not():
    frozen = replace(STEADY, fps=0.5)
    assert complaints([*minutes(5), frozen, frozen]) == []
    assert complaints([*minutes(2), *[replace(STEADY, minute=n, fps=18.0) for n in (3, 4, 5)]]) == [
        "fps: 18.0 in minute 3, 18.0 in minute 4, 18.0 in minute 5"
    ]
    assert complaints([frozen]) == ["fps: 0.5 in minute 1"], "of a short play every minute counts"


def test_errors_are_counted():
    assert complaints([replace(STEADY, errors=2)]) == ["2 errors"]
