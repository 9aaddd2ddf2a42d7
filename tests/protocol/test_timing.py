import re

from protocol import timing


def test_a_frame_is_40_ms_of_640_samples() -> None:
    assert timing.FRAME_MS * timing.FPS == 1000
    assert timing.FRAME_SAMPLES == 640
    assert timing.FRAME_BYTES == 1280


def test_user_ids_are_short_and_plain() -> None:
    for good in ("a", "A-b_9", "x" * 64):
        assert re.match(timing.USER_ID_PATTERN, good)
    for bad in ("", "x" * 65, "a b", "a/b", "é", "../x"):
        assert not re.match(timing.USER_ID_PATTERN, bad)
