from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.interface import PICTURE_SHAPE, BaseFrame, LipSyncEngine, SpeechFrame
from models.light.engine import LightEngine
from models.light.mouth_parameters import MouthParameters
from models.prepared_avatar import BaseVideo, PreparedAvatar
from tests.models.light.faces import AA, EH, REST, Face, portrait, toothy

BASE = BaseFrame("idle_0", 1)


def avatar_of(face: Face, name: str = "ann") -> PreparedAvatar:
    """Two pictures, the second a little to the right."""
    pictures = np.stack([face.picture, np.roll(face.picture, 4, axis=1)])
    landmarks = np.stack([face.landmarks, face.landmarks + np.float32((4, 0))])
    video = BaseVideo("idle_0", pictures, landmarks)
    return PreparedAvatar(name, {"idle_0": video}, same_pose=True, material=face.material)


@pytest.fixture(scope="module")
def shared_engine() -> LightEngine:
    return LightEngine()


@pytest.fixture
def avatar() -> PreparedAvatar:
    return avatar_of(portrait())


@pytest.fixture
def engine(shared_engine, avatar):
    shared_engine.load_avatar(avatar)
    yield shared_engine
    shared_engine.unload_avatar(avatar)


def windows(engine: LightEngine, count: int, seed: int) -> list[np.ndarray]:
    """Successive windows of a noisy voice-like sound."""
    size = engine.past_samples + 640 + engine.future_samples
    times = np.arange(640 * count + size) / 16_000
    noise = np.random.default_rng(seed).normal(0, 0.02, len(times))
    sound = 0.3 * np.sin(2 * np.pi * 140 * times) * (1 + np.sin(2 * np.pi * 3 * times)) + noise
    return [sound[640 * n : 640 * n + size].astype(np.float32) for n in range(count)]


def test_it_is_an_engine_with_at_most_80_ms_of_look_ahead(shared_engine) -> None:
    engine: LipSyncEngine = shared_engine
    assert engine.name == "light"
    assert 0 < engine.future_samples <= 1280
    assert engine.past_samples > 0
    assert engine.max_batch >= 12
    assert engine.describe()["look_ahead_ms"] == engine.future_samples / 16


def test_sessions_generated_together_are_as_if_each_were_alone(engine, avatar) -> None:
    sounds = [windows(engine, 6, seed) for seed in (1, 2, 3)]
    together = [engine.new_voice() for _ in sounds]
    alone = [engine.new_voice() for _ in sounds]
    for step in range(6):
        frames = [SpeechFrame(v, sound[step], avatar, BASE) for v, sound in zip(together, sounds, strict=True)]
        batched = engine.generate(frames)
        single = [
            engine.generate([SpeechFrame(v, sound[step], avatar, BASE)])[0]
            for v, sound in zip(alone, sounds, strict=True)
        ]
        assert np.allclose(batched, single, atol=1e-4)
    assert len({tuple(np.round(mouth, 3)) for mouth in batched}) == 3


def test_mouths_are_immutable_and_within_bounds(engine, avatar) -> None:
    voice = engine.new_voice()
    for window in windows(engine, 10, 4):
        (mouth,) = engine.generate([SpeechFrame(voice, window, avatar, BASE)])
        assert isinstance(mouth, MouthParameters)
        assert all(0 <= value <= 1 for value in mouth)
        with pytest.raises(AttributeError):
            mouth.open = 1.0


def test_silence_keeps_the_mouth_shut_and_the_picture_exact(engine, avatar) -> None:
    voice = engine.new_voice()
    silence = np.zeros(engine.past_samples + 640 + engine.future_samples, np.float32)
    for _ in range(12):
        (mouth,) = engine.generate([SpeechFrame(voice, silence, avatar, BASE)])
    picture = engine.paint(mouth, 1.0, avatar, BASE)
    assert np.array_equal(picture, avatar.videos["idle_0"].pictures[1])


def test_no_frames_make_no_mouths(engine) -> None:
    assert engine.generate([]) == []


def test_painting_uses_the_base_picture_that_is_named(engine, avatar) -> None:
    first, second = (engine.paint(AA, 1.0, avatar, BaseFrame("idle_0", index)) for index in (0, 1))
    assert first.shape == PICTURE_SHAPE
    assert np.array_equal(first[:512, :-8], second[:512, 4:-4])
    assert not np.array_equal(first, avatar.videos["idle_0"].pictures[0])


def test_weight_zero_is_the_untouched_base_and_weight_one_the_mouth(engine, avatar) -> None:
    base = avatar.videos["idle_0"].pictures[1]
    assert np.array_equal(engine.paint(AA, 0.0, avatar, BASE), base)
    assert np.array_equal(engine.paint(REST, 1.0, avatar, BASE), base)
    changes = [int((engine.paint(AA, weight, avatar, BASE) != base).sum()) for weight in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert changes == sorted(changes)


def test_an_avatar_must_be_loaded_to_be_painted_on(engine, avatar) -> None:
    with pytest.raises(ModelError, match="'bob' is not loaded"):
        engine.paint(AA, 1.0, avatar_of(toothy(), "bob"), BASE)
    engine.unload_avatar(avatar)
    with pytest.raises(ModelError, match="'ann' is not loaded"):
        engine.paint(AA, 1.0, avatar, BASE)
    engine.unload_avatar(avatar)
    engine.load_avatar(avatar)
    engine.paint(AA, 1.0, avatar, BASE)


def test_loading_again_is_free_and_another_of_the_same_name_is_one_more(engine, avatar) -> None:
    before = engine.paint(EH, 1.0, avatar, BASE)
    engine.load_avatar(avatar)
    assert np.array_equal(engine.paint(EH, 1.0, avatar, BASE), before)
    other = avatar_of(toothy())
    engine.load_avatar(other)
    assert not np.array_equal(engine.paint(EH, 1.0, other, BASE), before)
    assert np.array_equal(engine.paint(EH, 1.0, avatar, BASE), before)
    assert engine.describe()["avatars"] == ["ann", "ann"]
    engine.unload_avatar(other)
    assert engine.describe()["avatars"] == ["ann"]


@pytest.mark.parametrize("base", [BaseFrame("dance_0", 0), BaseFrame("idle_0", 2)])
def test_a_base_picture_that_is_not_there_is_named(engine, avatar, base) -> None:
    with pytest.raises(ModelError, match=base.video):
        engine.paint(AA, 1.0, avatar, base)


def test_an_avatar_without_its_material_is_refused_with_what_to_do(shared_engine) -> None:
    face = portrait()
    whole = avatar_of(face, "cid")
    nothing = PreparedAvatar("cid", whole.videos, same_pose=True, material={})
    part = PreparedAvatar("cid", whole.videos, same_pose=True, material={"lip_inset": face.material["lip_inset"]})
    for avatar in (nothing, part):
        with pytest.raises(ModelError, match=r"'cid'.*prepare it again"):
            shared_engine.load_avatar(avatar)
    with pytest.raises(ModelError, match="no pictures"):
        shared_engine.load_avatar(PreparedAvatar("cid", {}, same_pose=True, material=face.material))
    flat = {name: replace(video, landmarks=video.landmarks * 0) for name, video in whole.videos.items()}
    with pytest.raises(ModelError, match=r"'cid' has a face without a size"):
        shared_engine.load_avatar(replace(whole, videos=flat))


def test_mouths_and_voices_of_another_engine_are_refused(engine, avatar) -> None:
    with pytest.raises(ModelError, match="object"):
        engine.paint(object(), 1.0, avatar, BASE)
    with pytest.raises(ModelError, match="object"):
        engine.generate([SpeechFrame(object(), windows(engine, 1, 1)[0], avatar, BASE)])


def test_weights_that_are_missing_stop_the_engine_with_their_path() -> None:
    from models.light.mouth_net import MouthNet

    with pytest.raises(ModelError, match="nowhere"):
        LightEngine(MouthNet.load(Path("/nowhere/net.npz")))
