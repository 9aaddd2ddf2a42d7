"""The order of idle videos, and the fade between them."""

import numpy as np

from models.prepared_avatar import BaseVideo, PreparedAvatar
from ws_service.video.idle_order import FADE_FRAMES, fade_weight, idle_videos, twins


def test_idle_videos_follow_each_other_as_people_count() -> None:
    assert idle_videos(["speaking_0", "idle_10", "idle_9", "action_1", "idle_0"]) == ["idle_0", "idle_9", "idle_10"]


def test_a_fade_begins_nearly_old_and_ends_nearly_new() -> None:
    weights = [fade_weight(left) for left in range(FADE_FRAMES, 0, -1)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 1 - weights[-1]
    assert 0 < weights[-1] < 0.2


def test_loops_of_the_very_same_pictures_are_twins() -> None:
    one, other = (np.zeros((25, 768, 512), np.uint8) for _ in range(2))
    points = np.zeros((25, 468, 2), np.float32)
    shown = {"idle_0": one, "idle_1": other, "speaking_0": one, "action_1": one}
    avatar = PreparedAvatar("a", {name: BaseVideo(name, of, points) for name, of in shown.items()}, False, {})
    assert twins(avatar) == {"idle_0": "idle_0", "idle_1": "idle_1", "speaking_0": "idle_0"}
