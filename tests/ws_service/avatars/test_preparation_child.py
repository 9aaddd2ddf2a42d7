"""The child's own decisions: how often it speaks, what it says of what went wrong. It runs in test_child_process."""

import json
from pathlib import Path

import cv2
import numpy as np

from models.preparation.steadying import Steadying
from ws_service.avatars.child_messages import PreparationRequest, Progress, read_message
from ws_service.avatars.preparation_child import Reporter, _in_words, _order


class Heard:
    def __init__(self) -> None:
        self.messages: list[Progress] = []
        self.now_s = 100.0
        self.reporter = Reporter(self.write, lambda: self.now_s)

    def write(self, line: bytes) -> None:
        message = read_message(line)
        assert isinstance(message, Progress)
        self.messages.append(message)


def test_each_stage_is_told_at_once_and_its_frames_four_times_a_second() -> None:
    heard = Heard()
    for frame in range(101):
        heard.reporter.progress("looking", frame / 200)
        heard.now_s += 0.02
    heard.reporter.progress("saving", 0.95)
    told = heard.messages
    assert [message.stage for message in told] == ["looking"] * 8 + ["saving"]
    assert told[0] == Progress("looking", 0.0)
    assert told[7].frames_per_second == 50.0
    assert told[8].frames_per_second is None
    assert [message.fraction for message in told] == sorted(message.fraction for message in told)


def test_a_thumbnail_goes_with_the_next_progress_once() -> None:
    heard = Heard()
    heard.reporter.thumbnail(np.full((160, 160, 3), 90, np.uint8))
    heard.reporter.progress("looking", 0.1)
    heard.reporter.progress("cutting", 0.2)
    assert heard.messages[0].thumbnail.startswith("/9j/"), "a JPEG"
    assert heard.messages[1].thumbnail == ""
    assert len(json.dumps(heard.messages[0].thumbnail)) < 20_000


def test_memory_that_ran_out_is_told_with_its_bound_and_other_trouble_with_the_file() -> None:
    request = PreparationRequest("anna", Path("/avatars"), {"image_file": Path("/x/image_file")}, False, 512 << 20)
    no_memory = cv2.error("x")
    no_memory.code = cv2.Error.StsNoMem
    for error in (MemoryError(), no_memory):
        assert _in_words(error, request) == "image_file: needs more than 512 MB of memory; make it smaller."
    assert _in_words(ZeroDivisionError(), request) == "image_file: cannot be worked on (ZeroDivisionError)."


def test_what_was_asked_of_a_recording_reaches_its_preparation() -> None:
    asked = PreparationRequest(
        "anna", Path("/a"), {"recording_file": Path("/x")}, False, 1, {"action_1": (2.0, 4.5)}, {"scale_lock": False}
    )
    order = _order(PreparationRequest.from_line(asked.line()))
    assert (order.recording, order.actions) == (Path("/x"), {"action_1": (2.0, 4.5)})
    assert order.steadying == Steadying(scale_lock=False)
