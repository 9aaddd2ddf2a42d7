"""What goes between the service and its preparation child comes out as it went in."""

from pathlib import Path

import pytest

from ws_service.avatars.child_messages import Ending, PreparationRequest, Progress, message_line, read_message


def test_a_request_is_one_line_and_reads_back() -> None:
    request = PreparationRequest(
        "anna",
        Path("/a b\n/avatars"),
        {"idle_0": Path("/x/idle_0"), "idle_1": Path("/x/é")},
        True,
        1 << 30,
        {"action_1": (12.5, 15.0)},
        {"tracking": False},
    )
    line = request.line()
    assert line.count(b"\n") == 1
    assert PreparationRequest.from_line(line) == request


@pytest.mark.parametrize(
    "message",
    [
        Progress("looking for the face", 0.25, 31.5, "/9j/4AAQ"),
        Progress("saving", 0.95),
        Ending(),
        Ending("video_file: no face was found", "Traceback\n  at line 1", 212 << 20),
    ],
)
def test_messages_are_one_line_each_and_read_back(message: Progress | Ending) -> None:
    line = message_line(message)
    assert line.count(b"\n") == 1
    assert read_message(line) == message


@pytest.mark.parametrize("line", [b"", b"{}", b'{"Progress": {"st', b"\xff\n", b"[1]", b'{"Other": {}}'])
def test_what_is_no_message_is_an_error_of_value(line: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_message(line)
