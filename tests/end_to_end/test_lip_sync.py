"""Lips against sound, on pictures decoded from what a client received."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.interface import BaseFrame
from models.light.engine import LightEngine
from models.light.mouth_parameters import MouthParameters
from models.preparation.colour import i420_to_bgr
from models.prepared_avatar import load_avatar
from tests.end_to_end.conversation import Conversation
from tests.end_to_end.lip_measure import Clip, apertures, best_lag_ms, closed_pairs, correlation
from tests.end_to_end.running_service import RunningService

Talk = Callable[..., Conversation]


async def spoken_pictures(talk: Talk, clip: Clip) -> list[np.ndarray]:
    """The generated frames of the clip, decoded."""
    async with talk() as c:
        await c.generate(clip.pcm)
        await c.say("SPEAK_END")
        await c.next("SPEAK_ENDED", timeout_s=30)
    pictures = c.pictures()
    spoken = [p for p, f in zip(pictures, c.frames, strict=True) if f.data["generated"]]
    assert len(spoken) == clip.frames
    return spoken


def true_apertures(avatars_dir: Path, clip: Clip) -> np.ndarray:
    """Of what the renderer makes of the phonemes' own parameters on the same avatar."""
    engine = LightEngine()
    avatar = load_avatar(avatars_dir / "default")
    engine.load_avatar(avatar)
    length = len(avatar.videos["idle_0"].pictures)
    pictures = [
        i420_to_bgr(engine.paint(MouthParameters(*mouth), 1.0, avatar, BaseFrame("idle_0", n % length)))
        for n, mouth in enumerate(clip.parameters().tolist())
    ]
    return apertures(pictures)


@pytest.mark.parametrize(
    ("name", "share"), [("espeak_f2_english", 0.85), ("hts_slt_english", 0.65), ("hts_ona_catalan", 0.65)]
)
async def test_lips_follow_voices_the_network_never_saw(
    talk: Talk, service: RunningService, avatars_dir: Path, name: str, share: float
) -> None:
    assert service.http
    clip = Clip.load(name)
    truth = asyncio.create_task(asyncio.to_thread(true_apertures, avatars_dir, clip))  # while it speaks
    seen = apertures(await spoken_pictures(talk, clip))
    reachable = correlation(await truth, clip)
    reached = correlation(seen, clip)
    assert reachable >= 0.8, "the renderer itself shows the parameters"
    assert reached >= share * reachable
    assert abs(best_lag_ms(seen, clip)) <= 45
    assert closed_pairs(seen, clip) >= 0.85
    assert correlation(seen[::-1], clip) < 0.5 * reached, "the same lips reversed in time do not follow"


async def test_lips_stay_closed_in_silence_and_noise(talk: Talk) -> None:
    noise = np.random.default_rng(0).normal(0, 32768 * 10 ** (-40 / 20), 16000).astype("<i2").tobytes()
    clip = Clip(bytes(32000) + noise, [])
    async with talk() as c:
        await c.frames_more(60)
    still = apertures(c.pictures()[:60])
    spoken = apertures(await spoken_pictures(talk, clip))
    assert spoken.max() <= still.max() + 0.01
