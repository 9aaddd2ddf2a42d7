"""The service with MuseTalk on the CPU: what holds on the wire with the light engine holds with this one.

The tests imported here run once more, against the service below; the longer ones with less speech. None asks for a
rate: a frame of live speech costs this engine ten ticks on a CPU, so time-outs are longer.
"""

# ruff: noqa: F401 - without torch this module is skipped; imported tests are run here
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from tests.end_to_end.conversation import Conversation
from tests.end_to_end.musetalk_in_small import write_avatar, write_weights
from tests.end_to_end.running_service import RunningService
from tests.end_to_end.test_connect import (
    test_all_intra_makes_every_frame_an_idr,
    test_init_again_starts_over_in_idle_and_the_clock_goes_on,
    test_the_binary_dialect_carries_the_same_stream,
    test_video_flows_before_init_and_begins_with_an_idr,
)
from tests.end_to_end.test_speech import (
    assert_any_cutting_gives_all_frames,
    assert_two_sessions_speak,
    babble,
    test_audio_out_gives_each_generated_frame_its_own_sound,
    test_audio_slower_than_real_time_holds_a_closed_mouth_and_keeps_the_clock,
    test_binary_upload_and_end_of_utterance,
    test_events_stand_around_the_first_and_last_generated_frame,
    test_interrupt_stops_at_once_and_says_where,
    test_silence_of_the_client_ends_the_utterance_without_speak_end,
    test_speech_works_again_after_an_interrupt,
)
from tests.end_to_end.test_splice_pictures import (
    ENCODED_TWICE,
    FACE_BELOW_EYES,
    changes_at_splices,
    differences_behind_speech,
)
from tests.end_to_end.test_states_and_actions import assert_a_stream_with_everything_decodes

Talk = Callable[..., Conversation]
LOOP_FRAMES = 25  # of the small avatar


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Takes the place of the light engine's service for the tests of this module."""
    weights, avatars = tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("avatars")
    write_weights(weights)
    write_avatar(avatars / "default")
    with RunningService(avatars, ENGINE="musetalk", DEVICE="cpu", MODEL_PATH=str(weights)) as running:
        yield running


@pytest.fixture
def talk(service: RunningService) -> Talk:
    """`async with talk() as c`: a connection whose tests are patient."""

    def open_one(user_id: str = "tester", **options: object) -> Conversation:
        return Conversation(f"{service.websocket}/musetalk/v1/ws/{user_id}", options, patience=6.0)

    return open_one


async def test_init_says_that_musetalk_speaks(talk: Talk) -> None:
    async with talk() as c:
        await c.say("INIT", {"user_id": "tester"})
        answer = await c.next("INIT_SUCCESS")
    assert answer.data["engine"]["name"] == "musetalk"


async def test_any_cutting_gives_ceil_n_over_640_frames(talk: Talk) -> None:
    await assert_any_cutting_gives_all_frames(talk, (1, 641, 2500))


async def test_two_sessions_speak_without_disturbing_each_other(talk: Talk) -> None:
    await assert_two_sessions_speak(talk, (5, 3))


async def test_one_stream_with_everything_in_it_decodes_picture_by_picture(talk: Talk) -> None:
    await assert_a_stream_with_everything_decodes(talk, (3, 4))


async def test_splices_and_the_background_show_nothing_of_the_speech(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(3 * LOOP_FRAMES)
        await c.generate(babble(3200))
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED")
        await c.frames_more(2 * LOOP_FRAMES)
    splices, limit = changes_at_splices(c, 3 * LOOP_FRAMES)
    assert max(splices.values()) <= 1.5 * limit, "the short loop has one IDR of its own, a calm one"
    assert max(differences_behind_speech(c, LOOP_FRAMES)) < ENCODED_TWICE


async def test_the_mouth_moves_to_a_voice_and_not_to_silence(talk: Talk) -> None:
    async with talk() as c:
        await c.frames_more(LOOP_FRAMES)
        for utterance_id, pcm in (("voice", babble(3200)), ("silence", bytes(12800))):
            await c.generate(pcm, utterance_id=utterance_id)
            await c.say("SPEAK_END")
            await c.next("SPEAK_ENDED", 1 + (utterance_id == "silence"))
            await c.frames_more(LOOP_FRAMES)  # the loop is back
    mouth = [picture[FACE_BELOW_EYES].astype(int) for picture in c.pictures()]
    moved = [np.abs(mouth[n] - mouth[n % LOOP_FRAMES]).mean() for n, f in enumerate(c.frames) if f.data["generated"]]
    assert len(moved) == 15
    assert max(moved[5:]) < 2.5, "only what encoding twice costs"
    assert max(moved[:5]) > 10, "a face by a net without training is grey"


def test_the_service_tells_its_engine(service: RunningService) -> None:
    with urllib.request.urlopen(service.http + "/sessions", timeout=5) as answer:
        engine = json.loads(answer.read())["service"]["engine"]
    assert engine["name"] == "musetalk"
    assert engine["device"] == "cpu"
