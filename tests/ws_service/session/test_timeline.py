"""Loops, actions and fades: what is shown is always there, and no jump is left without a fade."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_service.errors import InvalidMessage
from ws_service.session.timeline import FADE_FRAMES, BaseTick, Timeline

LENGTHS = {"idle_1": 50, "idle_2": 50, "speaking_1": 50, "speaking_2": 50, "action_1": 25, "action_2": 8}
LOOPS = [name for name in LENGTHS if not name.startswith("action")]


def show(timeline: Timeline, count: int) -> list[BaseTick]:
    return [timeline.tick() for _ in range(count)]


def pictures(ticks: list[BaseTick]) -> list[tuple[str, int]]:
    return [(tick.video, tick.index) for tick in ticks]


def test_the_only_idle_video_loops():
    shown = show(Timeline({"idle_0": 50, "speaking_0": 50}, same_pose=False), 120)
    assert pictures(shown) == [("idle_0", n % 50) for n in range(120)]
    assert all(tick.fade is None and tick.progress is None for tick in shown)


def test_idle_videos_take_turns_a_round_each():
    shown = show(Timeline(LENGTHS, same_pose=True), 120)
    assert pictures(shown) == [(f"idle_{1 + n // 50 % 2}", n % 50) for n in range(120)]
    assert all(tick.fade is None and tick.progress is None for tick in shown)


def test_idle_videos_of_other_poses_fade_into_each_other():
    shown = show(Timeline({"idle_0": 50, "idle_1": 25, "speaking_0": 50}, same_pose=False), 80)
    assert pictures(shown)[48:52] == [("idle_0", 48), ("idle_0", 49), ("idle_1", 0), ("idle_1", 1)]
    assert [n for n, tick in enumerate(shown) if tick.fade is not None] == [*range(50, 55), *range(75, 80)]
    assert [(tick.fade.video, tick.fade.index) for tick in shown[50:55]] == [("idle_0", n) for n in range(5)]


def test_an_idle_video_that_was_asked_for_stays_and_the_first_one_stands_for_all():
    timeline = Timeline(LENGTHS, same_pose=True)
    timeline.change("idle_2")
    assert {tick.video for tick in show(timeline, 150)} == {"idle_2"}
    timeline.change("idle_1")
    assert [tick.video for tick in show(timeline, 150)[::50]] == ["idle_1", "idle_2", "idle_1"]


def test_speech_leaves_and_comes_back_to_the_idle_video_of_the_moment():
    timeline = Timeline(LENGTHS, same_pose=True)
    show(timeline, 60)
    timeline.speech_video("speaking_1")
    show(timeline, 100)
    timeline.speech_ended()
    assert timeline.tick() == BaseTick("idle_2", 10)


def test_loops_of_the_same_pictures_keep_the_index_whatever_the_others_show():
    twins = {"idle_1": "a", "idle_2": "b", "speaking_1": "a", "speaking_2": "c"}
    timeline = Timeline(LENGTHS, same_pose=False, twins=twins)
    show(timeline, 17)
    timeline.change("speaking_1")
    assert timeline.tick() == BaseTick("speaking_1", 17)
    timeline.change("speaking_2")
    assert timeline.tick().fade is not None


def test_a_change_between_videos_of_one_pose_keeps_the_index_without_a_fade():
    timeline = Timeline(LENGTHS, same_pose=True)
    show(timeline, 17)
    timeline.change("speaking_1")
    assert timeline.tick() == BaseTick("speaking_1", 17)


def test_a_change_between_other_videos_begins_at_the_start_with_a_fade_that_gets_weaker():
    timeline = Timeline(LENGTHS, same_pose=False)
    show(timeline, 17)
    timeline.change("speaking_1")
    ticks = show(timeline, FADE_FRAMES + 1)
    assert pictures(ticks) == [("speaking_1", n) for n in range(6)]
    fades = [tick.fade for tick in ticks]
    assert fades[-1] is None
    assert [(fade.video, fade.index) for fade in fades[:-1]] == [("idle_1", 17 + n) for n in range(5)]
    weights = [fade.weight for fade in fades[:-1]]
    assert weights == sorted(weights, reverse=True)
    assert 0 < weights[-1] < weights[0] < 1


def test_an_index_that_the_shorter_video_does_not_have_is_left_with_a_fade():
    timeline = Timeline({"idle_1": 100, "idle_2": 25}, same_pose=True)
    show(timeline, 60)
    timeline.change("idle_2")
    tick = timeline.tick()
    assert (tick.video, tick.index) == ("idle_2", 0)
    assert tick.fade is not None


def test_before_the_first_picture_there_is_nothing_to_fade_from():
    timeline = Timeline(LENGTHS, same_pose=False)
    timeline.change("idle_2")
    assert timeline.tick() == BaseTick("idle_2", 0)


def test_an_action_plays_once_from_its_start_and_the_loop_goes_on_at_its_start():
    timeline = Timeline(LENGTHS, same_pose=True)
    show(timeline, 30)
    timeline.act("action_1")
    ticks = show(timeline, 25)
    assert pictures(ticks) == [("action_1", n) for n in range(25)]
    assert [tick.progress for tick in ticks] == [pytest.approx((n + 1) / 25) for n in range(25)]
    assert timeline.tick() == BaseTick("idle_1", 0)


def test_an_action_of_the_same_pose_fades_in_only_where_the_loop_is_elsewhere():
    timeline = Timeline(LENGTHS, same_pose=True)
    show(timeline, 50)
    timeline.act("action_1")
    assert all(tick.fade is None for tick in show(timeline, 26))
    timeline.act("action_1")
    assert timeline.tick().fade is not None


def test_a_second_action_is_refused_while_one_runs_and_changes_nothing():
    timeline = Timeline(LENGTHS, same_pose=True)
    timeline.act("action_1")
    show(timeline, 10)
    for start in (timeline.act, timeline.change):
        with pytest.raises(InvalidMessage, match="Action already in progress"):
            start("action_2")
    assert timeline.tick() == BaseTick("action_1", 10, None, pytest.approx(11 / 25))


def test_the_next_action_may_start_as_soon_as_the_last_picture_has_been_shown():
    timeline = Timeline(LENGTHS, same_pose=True)
    timeline.act("action_1")
    assert show(timeline, 25)[-1].progress == 1
    assert not timeline.acting
    timeline.act("action_2")
    assert timeline.tick().video == "action_2"


def test_a_loop_chosen_during_an_action_is_there_after_it():
    timeline = Timeline(LENGTHS, same_pose=True)
    timeline.act("action_1")
    show(timeline, 5)
    timeline.change("idle_2")
    assert timeline.current_video == "action_1"
    assert timeline.base_video == "idle_2"
    show(timeline, 20)
    assert timeline.tick() == BaseTick("idle_2", 0)


def test_actions_are_numbered_as_people_count():
    lengths = {"idle_1": 25} | {f"action_{n}": 25 for n in (10, 9, 1, 2, 11)}
    assert Timeline(lengths, same_pose=True).actions == ["action_1", "action_2", "action_9", "action_10", "action_11"]


def test_an_unknown_video_is_named_with_its_field_and_what_there_is():
    with pytest.raises(InvalidMessage, match="'idle_9'") as refused:
        Timeline(LENGTHS, same_pose=True).check_video("idle_9", "data.base_video")
    assert refused.value.details == {"path": "data.base_video", "allowed": sorted(LENGTHS)}


def test_a_change_during_a_fade_waits_until_it_has_ended():
    timeline = Timeline(LENGTHS, same_pose=False)
    show(timeline, 17)
    timeline.change("idle_2")
    show(timeline, 2)
    timeline.change("speaking_1")
    timeline.change("speaking_2")
    assert timeline.base_video == timeline.current_video == "speaking_2"
    ticks = show(timeline, 4)
    assert pictures(ticks) == [("idle_2", 2), ("idle_2", 3), ("idle_2", 4), ("speaking_2", 0)]
    assert [tick.fade.video for tick in ticks] == ["idle_1"] * 3 + ["idle_2"]


def test_an_action_during_a_fade_waits_and_is_then_shown_whole():
    timeline = Timeline(LENGTHS, same_pose=False)
    show(timeline, 17)
    timeline.change("idle_2")
    show(timeline, 2)
    timeline.act("action_1")
    assert timeline.acting
    assert timeline.current_video == "action_1"
    with pytest.raises(InvalidMessage, match="Action already in progress") as refused:
        timeline.act("action_2")
    assert refused.value.details == {"running": "action_1"}
    assert pictures(show(timeline, 28))[3:] == [("action_1", n) for n in range(25)]
    assert not timeline.acting


def test_a_fade_that_has_not_begun_leads_where_the_last_change_says():
    timeline = Timeline(LENGTHS, same_pose=False)
    show(timeline, 17)
    timeline.change("idle_2")
    timeline.change("speaking_1")
    tick = timeline.tick()
    assert (tick.video, tick.fade.video) == ("speaking_1", "idle_1")


class TestSpeechVideo:
    """The base that GENERATE's `video_state` asks for holds while it speaks."""

    def test_after_the_speech_the_last_idle_video_comes_back(self):
        timeline = Timeline(LENGTHS, same_pose=True)
        timeline.change("idle_2")
        timeline.speech_video("speaking_1")
        assert timeline.base_video == "speaking_1"
        timeline.speech_ended()
        assert timeline.base_video == "idle_2"

    def test_a_speaking_video_chosen_by_state_change_stays_after_the_speech(self):
        timeline = Timeline(LENGTHS, same_pose=True)
        timeline.speech_video("speaking_1")
        timeline.change("speaking_1")
        timeline.speech_ended()
        assert timeline.base_video == "speaking_1"

    def test_an_idle_video_may_be_spoken_over_and_stays(self):
        timeline = Timeline(LENGTHS, same_pose=True)
        timeline.speech_video("idle_2")
        timeline.speech_ended()
        assert timeline.base_video == "idle_2"

    def test_an_action_as_speech_video_plays_once_and_does_not_disturb_a_running_one(self):
        timeline = Timeline(LENGTHS, same_pose=True)
        timeline.speech_video("action_1")
        timeline.speech_video("action_2")
        assert timeline.current_video == "action_1"

    @pytest.mark.parametrize("video", [None, "idle_1", "not there"])
    def test_nothing_new_changes_nothing(self, video):
        timeline = Timeline(LENGTHS, same_pose=False)
        show(timeline, 3)
        timeline.speech_video(video)
        assert timeline.tick() == BaseTick("idle_1", 3)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["change", "speech_video"]), st.sampled_from(list(LENGTHS))),
        st.tuples(st.just("act"), st.sampled_from(["action_1", "action_2"])),
        st.tuples(st.just("speech_ended"), st.none()),
    ),
    max_size=40,
)


def follow(timeline: Timeline, todo: list[tuple[str, object]]) -> list[BaseTick]:
    """Do the steps; `peek` must foretell each tick."""
    shown = []
    for name, argument in todo:
        if name == "tick":
            for _ in range(argument):
                foretold = timeline.peek()
                shown.append(timeline.tick())
                assert foretold == (shown[-1].video, shown[-1].index)
        elif name == "speech_ended":
            timeline.speech_ended()
        else:
            try:
                getattr(timeline, name)(argument)
            except InvalidMessage:
                assert timeline.acting
    return shown


@given(st.booleans(), steps)
def test_whatever_is_asked_each_picture_exists(same_pose, todo):
    for tick in follow(Timeline(LENGTHS, same_pose), todo):
        assert 0 <= tick.index < LENGTHS[tick.video]
        assert (tick.progress is not None) == tick.video.startswith("action")
        assert tick.progress is None or 0 < tick.progress <= 1
        if tick.fade is not None:
            assert 0 <= tick.fade.index < LENGTHS[tick.fade.video]
            assert 0 < tick.fade.weight < 1


@given(st.booleans(), steps)
def test_a_picture_that_does_not_follow_from_the_one_before_is_faded(same_pose, todo):
    shown = follow(Timeline(LENGTHS, same_pose), todo)
    for before, now in pairwise(shown):
        if now.fade is None:
            assert follows(before, now, same_pose=same_pose)


hurried = st.lists(st.tuples(st.sampled_from(list(LENGTHS)), st.integers(0, 9)), min_size=2, max_size=12)


@given(hurried)
def test_no_video_of_another_pose_comes_or_goes_at_once(changes):
    todo = [step for video, ticks in [("idle_1", 1), *changes] for step in (("change", video), ("tick", ticks))]
    for before, now in pairwise(follow(Timeline(LENGTHS, same_pose=False), todo)):
        for video in LENGTHS:
            assert abs(seen(now, video) - seen(before, video)) <= 1 / FADE_FRAMES


@given(steps)
def test_loops_of_one_pose_never_fade_and_never_lose_the_count(todo):
    loops_only = [(name, argument) for name, argument in todo if not str(argument).startswith("action")]
    shown = follow(Timeline(LENGTHS, same_pose=True), loops_only)
    assert [tick.index for tick in shown] == [n % 50 for n in range(len(shown))]
    assert all(tick.fade is None for tick in shown)


def seen(tick: BaseTick, video: str) -> float:
    """How much of the picture is of this video."""
    left = tick.fade.weight if tick.fade else 0.0
    return (1 - left) * (tick.video == video) + left * (tick.fade is not None and tick.fade.video == video)


def follows(before: BaseTick, now: BaseTick, *, same_pose: bool) -> bool:
    """The pose of `now` comes right after that of `before`."""
    if before.video == now.video and now.index == before.index + 1:
        return True
    if same_pose:
        # actions begin and end in the pose of index 0, and so does every loop of 50
        after = 0 if before.video.startswith("action") else (before.index + 1) % 50
        return now.index == after
    return before.video == now.video and before.index == LENGTHS[before.video] - 1 and now.index == 0
