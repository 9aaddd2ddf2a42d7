"""Any client and any engine: the laws of the stream hold, and no accepted sample is lost or heard twice."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.server_messages import SpeakEnded, SpeakStarted
from tests.fakes.avatars import FakeAvatars, make_avatar
from tests.fakes.mouths import FakeMouths
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import Stage, generate, init, message, ramp
from tests.ws_service.session.stream_laws import check_stream

videos = st.sampled_from([None, "idle_1", "idle_2", "speaking_1", "action_1", "speaking_9"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 700)),  # ms
        st.tuples(st.just("speak"), st.tuples(st.integers(0, 8000), videos)),  # bytes
        st.tuples(st.just("end"), st.none()),
        st.tuples(st.just("interrupt"), st.none()),
        st.tuples(st.just("change"), st.sampled_from(["idle_1", "idle_2", "speaking_1", "action_2", "nothing"])),
        st.tuples(st.just("act"), st.one_of(st.integers(1, 3), st.sampled_from(["action_1", "action_9"]))),
        st.tuples(st.just("init"), st.booleans()),  # audio_out
    ),
    max_size=20,
)
engine_ms = st.lists(st.sampled_from([0, 2, 4, 10, 30, 45, 200]), min_size=1, max_size=8)


def as_message(step: str, argument):
    """What a client says; a wait is no message."""
    if step == "speak":
        return generate(bytes(argument[0]), base_video=argument[1])
    if step == "change":
        return message("STATE_CHANGE", target_state="idle", base_video=argument)
    if step == "act":
        return message("ACTION", **{"action_index" if isinstance(argument, int) else "action_type": argument})
    if step == "init":
        return init(audio_out=argument)
    return message({"end": "SPEAK_END", "interrupt": "INTERRUPT"}[step])


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps, engine_ms, st.sets(st.integers(0, 40), max_size=2), st.booleans(), st.sampled_from([0, 3, 60, 150]))
def test_whatever_client_engine_and_encoder_do_the_laws_of_the_stream_hold(
    todo, works_ms, failing, same_pose, encode_ms
):
    async def scene():
        mouths = FakeMouths(lambda n: works_ms[n % len(works_ms)] / 1000)
        mouths.failing = failing
        avatars = FakeAvatars(make_avatar(same_pose=same_pose), encode_s=encode_ms / 1000)
        async with Stage(mouths, avatars) as stage:
            for step, argument in todo:
                if step == "wait":
                    await asyncio.sleep(argument / 1000)
                else:
                    await stage.say(as_message(step, argument))
            await stage.until_silent()
            assert len(stage.sink.of(SpeakStarted)) == len(stage.sink.of(SpeakEnded))
            assert stage.sink.frames[-1].generated is False
            assert stage.video.shown[-1].mouth is None
        said = [step for step, _ in todo]
        assert stage.sink.kinds.count("INTERRUPTED") == said.count("interrupt")
        assert stage.sink.kinds.count("INIT_SUCCESS") == said.count("init")
        assert stage.avatars.users == 0
        check_stream(stage.sink, audio_out=None)
        for shown, frame in zip(stage.shown, stage.sink.frames, strict=True):
            assert not frame.generated or shown.mouth.number * 40 == frame.audio_ms, "the mouth of this very frame"

    run_virtual(scene())


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 6000)), min_size=1, max_size=15),  # ms before, bytes
    engine_ms,
)
def test_however_speech_is_cut_and_however_late_the_engine_is_each_sample_is_shown_once_in_order(pushes, works_ms):
    async def scene():
        pcm, position = ramp(100_000), 0
        async with Stage(FakeMouths(lambda n: works_ms[n % len(works_ms)] / 1000)) as stage:
            for wait_ms, count in pushes:
                await asyncio.sleep(wait_ms / 1000)
                await stage.say(generate(pcm[position : position + count]))
                position += count
            await stage.until_silent()
        pictures = zip(stage.shown, stage.sink.frames, strict=True)
        values = [int(k) for shown, frame in pictures if frame.generated for k in shown.mouth.samples if k]
        assert values == list(range(1, position // 2 + 1))
        assert len(stage.sink.of(SpeakEnded)) == (1 if values else 0)
        assert len(stage.sink.generated) == -(-(position // 2) // 640)
        check_stream(stage.sink)

    run_virtual(scene())


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 6000)), min_size=1, max_size=15),  # ms before, bytes
    engine_ms,
    st.lists(st.integers(0, 2000), max_size=4, unique=True),  # ms at which others come and go
    st.sampled_from([0.0, 0.02, 0.05]),
)
def test_at_half_rate_the_same_frames_come_out_and_no_mouth_is_seen_three_times(pushes, works_ms, changes_ms, turn_s):
    async def others(mouths):
        places = []
        for at_ms in sorted(changes_ms):
            await asyncio.sleep(1000 + at_ms / 1000 - asyncio.get_running_loop().time())
            if places:
                places.pop().leave()
            else:
                places.append(mouths.new_speaker())

    async def scene():
        position = 0
        mouths = FakeMouths(lambda n: works_ms[n % len(works_ms)] / 1000)
        mouths.speakers.full_rate, mouths.turn_s = 1, turn_s
        coming_and_going = asyncio.create_task(others(mouths))
        async with Stage(mouths) as stage:
            for wait_ms, count in pushes:
                await asyncio.sleep(wait_ms / 1000)
                await stage.say(generate(bytes(count)))
                position += count
            await stage.until_silent()
        coming_and_going.cancel()
        assert len(stage.sink.generated) == -(-(position // 2) // 640)
        pictures = zip(stage.shown, stage.sink.frames, strict=True)
        numbers = [id(shown.mouth) for shown, frame in pictures if frame.generated]
        assert all(len(set(numbers[n : n + 3])) > 1 for n in range(len(numbers) - 2))
        check_stream(stage.sink)

    run_virtual(scene())
