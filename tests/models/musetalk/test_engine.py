# ruff: noqa: E402 - without torch this module is skipped
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalog import create_engine
from models.errors import EngineLost, ModelError
from models.interface import PICTURE_SHAPE, BaseFrame, LipSyncEngine, SpeechFrame
from models.light.engine import LightEngine
from models.musetalk.engine import GeneratedMouth, MuseTalkEngine, load_tools
from models.musetalk.nets import MuseTalkNets
from models.musetalk.picture_store import row_bytes
from models.prepared_avatar import PreparedAvatar
from tests.models.musetalk.faces import photo_avatar
from tests.models.musetalk.speech_windows import BASE, frame_of, frames_of
from ws_service.audio.rechunker import Utterance

ROW_BYTES = row_bytes(torch.float32)


@pytest.fixture(scope="module")
def avatar(golden) -> PreparedAvatar:
    return photo_avatar(golden["frame_bgr"])


@pytest.fixture(scope="module")
def engine(nets, avatar) -> MuseTalkEngine:
    made = MuseTalkEngine(nets)
    made.load_avatar(avatar)
    return made


def speech(golden, start: int = 20_000, frames: int = 4) -> np.ndarray:
    """Some loud speech."""
    return golden["pcm16k"][start : start + 640 * frames]


def mouths(engine: MuseTalkEngine, avatar: PreparedAvatar, pcm: np.ndarray, *, whole: bool = False) -> list:
    return [engine.generate([frame])[0] for frame in frames_of(engine.new_voice(), pcm, whole=whole, avatar=avatar)]


def test_it_is_an_engine_that_looks_ahead_as_far_as_its_window_needs(engine) -> None:
    made: LipSyncEngine = engine
    assert (made.name, made.future_samples, made.max_batch) == ("musetalk", 1480, 32)
    described = made.describe()
    assert described["look_ahead_ms"] == 92.5
    assert (described["device"], described["precision"]) == ("cpu", "float32")
    assert described["avatars"] == ["ann"]


def test_speech_gives_a_face_and_a_picture_that_changes_inside_the_mask_alone(engine, avatar, golden) -> None:
    mouth = mouths(engine, avatar, speech(golden))[3]
    assert mouth.weight == 1
    assert mouth.face.shape == (256, 256, 3)
    base = avatar.videos["idle_0"].pictures[0]
    picture = engine.paint(mouth, 1.0, avatar, BASE)
    assert picture.shape == PICTURE_SHAPE
    changed = np.argwhere(picture[:512] != base[:512])
    assert len(changed) > 1000
    left, top, right, bottom = golden["bbox"]
    assert changed[:, 0].min() > (top + bottom) / 2 - 20
    assert changed[:, 0].max() < bottom + 15
    assert changed[:, 1].min() > left - 15
    assert changed[:, 1].max() < right + 15


def test_silence_leaves_the_base_picture_untouched(engine, avatar) -> None:
    for whole in (False, True):
        for mouth in mouths(engine, avatar, np.zeros(6400, np.float32), whole=whole):
            picture = engine.paint(mouth, 1.0, avatar, BASE)
            np.testing.assert_array_equal(picture, avatar.videos["idle_0"].pictures[0])


def test_weight_fades_to_the_base_picture_and_the_picture_is_a_copy(engine, avatar, golden) -> None:
    mouth = mouths(engine, avatar, speech(golden))[3]
    base = np.array(avatar.videos["idle_0"].pictures[0]).astype(int)
    distances = [np.abs(engine.paint(mouth, weight, avatar, BASE) - base).sum() for weight in (0, 0.5, 1)]
    assert distances[0] == 0
    assert distances[1] == pytest.approx(distances[2] / 2, rel=0.1)
    engine.paint(mouth, 0.0, avatar, BASE)[:] = 0
    assert avatar.videos["idle_0"].pictures[0].any()


def test_a_mouth_can_be_painted_on_another_base_picture_than_it_was_made_for(engine, avatar, golden) -> None:
    mouth = mouths(engine, avatar, speech(golden))[3]
    for index in (1, 2):
        base = BaseFrame("speaking_0", index)
        picture = engine.paint(mouth, 1.0, avatar, base)
        assert (picture != avatar.videos["speaking_0"].pictures[index]).any()


def test_sessions_generated_together_are_as_if_each_were_alone(engine, avatar, golden) -> None:
    sounds = [speech(golden, start, frames=2) for start in (20_000, 40_000, 60_000)]
    alone = [mouths(engine, avatar, sound) for sound in sounds]
    streams = [frames_of(engine.new_voice(), sound, avatar=avatar) for sound in sounds]
    for step, frames in enumerate(zip(*streams, strict=True)):
        for mouth, expected in zip(engine.generate(frames), (one[step] for one in alone), strict=True):
            assert mouth.weight == expected.weight
            if mouth.face is not None:
                assert np.abs(mouth.face.astype(int) - expected.face).max() <= 1


def speak(
    engine: MuseTalkEngine, avatar: PreparedAvatar, pieces: list[bytes], *, whole: bool = False
) -> list[GeneratedMouth]:
    """Speech as the service's own utterance gives it out, frame by frame as soon as its look-ahead is there.

    `whole`: SPEAK_END comes before the first frame is asked for.
    """
    utterance, voice, made = Utterance(), engine.new_voice(), []

    def speak_what_is_ready() -> None:
        while utterance.frame_complete(len(made), engine.future_samples):
            window = utterance.window(len(made), engine.past_samples, engine.future_samples)
            length = utterance.samples if utterance.ended else None
            heard = utterance.window(0, 0, utterance.samples)[: utterance.samples] if whole and not made else None
            frame = SpeechFrame(voice, window, avatar, BASE, len(made), heard, length)
            made.extend(engine.generate([frame]))

    for piece in pieces:
        utterance.push(piece, 16_000, 1)
        if not whole:
            speak_what_is_ready()
    utterance.end()
    speak_what_is_ready()
    return made


@pytest.fixture(scope="module")
def uncut_speech(engine, avatar, golden) -> tuple[bytes, dict[bool, list[GeneratedMouth]]]:
    """Four frames of speech as PCM, and their mouths, live and whole."""
    pcm = np.rint(speech(golden, frames=4) * 32767).astype("<i2").tobytes()
    return pcm, {whole: speak(engine, avatar, [pcm], whole=whole) for whole in (False, True)}


@pytest.mark.parametrize("whole", [False, True])
@settings(max_examples=3)
@given(cuts=st.lists(st.integers(1, 4 * 1280 - 1), min_size=1, max_size=10, unique=True))
def test_speech_cut_at_random_places_gives_the_same_mouths_as_speech_not_cut(
    engine, avatar, uncut_speech, whole, cuts
) -> None:
    pcm, uncut = uncut_speech
    pieces = [pcm[first:last] for first, last in pairwise([0, *sorted(cuts), len(pcm)])]
    cut = speak(engine, avatar, pieces, whole=whole)
    assert len(cut) == len(uncut[whole]) == 4
    for mouth, expected in zip(cut, uncut[whole], strict=True):
        assert mouth.weight == expected.weight
        np.testing.assert_array_equal(mouth.face, expected.face)


def test_live_and_whole_speech_are_heard_in_different_ways(uncut_speech) -> None:
    _, uncut = uncut_speech
    assert (uncut[False][0].face != uncut[True][0].face).any()


class Faulty:
    """The nets, but for one method. Not a double of the engine: only the fault is made up."""

    def __init__(self, nets: MuseTalkNets, **replaced) -> None:
        self._nets = nets
        self.__dict__.update(replaced)

    def __getattr__(self, name: str):
        return getattr(self._nets, name)


def test_a_face_of_nan_or_without_any_contrast_falls_back_to_the_base_picture_and_is_counted(
    nets, avatar, golden
) -> None:
    def first_is_nan(tokens, latents):
        predicted = nets.predict_latents(tokens, latents).clone()
        predicted[0, 0, 0, 0] = float("nan")
        return predicted

    def second_is_flat(latents):
        pictures = nets.decode(latents).clone()
        pictures[1] = 128
        return pictures

    engine = MuseTalkEngine(Faulty(nets, predict_latents=first_is_nan, decode=second_is_flat))
    engine.load_avatar(avatar)
    pcm = speech(golden)
    result = engine.generate([frame_of(engine.new_voice(), pcm, 0, whole=True, avatar=avatar) for _ in range(3)])
    assert [mouth.face is None for mouth in result] == [True, True, False]
    assert engine.fallback_frames == engine.describe()["fallback_frames"] == 2
    np.testing.assert_array_equal(engine.paint(result[0], 1.0, avatar, BASE), avatar.videos["idle_0"].pictures[0])


def test_out_of_memory_halves_the_batch_and_goes_on(nets, avatar, golden) -> None:
    sizes = []

    def at_most_one(tokens, latents):
        sizes.append(len(tokens))
        if len(tokens) > 1:
            raise torch.OutOfMemoryError("too much")
        return nets.predict_latents(tokens, latents)

    engine = MuseTalkEngine(Faulty(nets, predict_latents=at_most_one), max_batch=8)
    engine.load_avatar(avatar)
    pcm = speech(golden)
    result = engine.generate([frame_of(engine.new_voice(), pcm, 0, whole=True, avatar=avatar) for _ in range(3)])
    assert all(mouth.face is not None for mouth in result)
    assert sizes == [4, 4, 2, 1, 1, 1]  # three fill a bucket of four
    assert engine.max_batch == 1


@pytest.mark.parametrize(("room_rows", "left_rows", "max_batch"), [(2, 2, 4), (1, 1, 2), (0, 0, 1)])
def test_out_of_memory_takes_pictures_before_batches(nets, avatar, golden, room_rows, left_rows, max_batch) -> None:
    def beside_few_pictures(tokens, latents):
        if engine.renderer.pictures.size_bytes > room_rows * ROW_BYTES:
            raise torch.OutOfMemoryError("too much")
        return nets.predict_latents(tokens, latents)

    faulty = Faulty(nets, predict_latents=beside_few_pictures)
    engine = MuseTalkEngine(faulty, max_batch=4, picture_budget_bytes=100_000_000)
    engine.load_avatar(avatar)
    assert engine.renderer.pictures.size_bytes == 4 * ROW_BYTES
    voice = engine.new_voice()
    for index in range(2):
        assert engine.generate([frame_of(voice, speech(golden), index, avatar=avatar)])[0].face is not None
    assert engine.max_batch == max_batch
    assert engine.renderer.pictures.size_bytes == left_rows * ROW_BYTES


def test_at_one_frame_all_pictures_give_way(nets, avatar, golden) -> None:
    tried = []

    def beside_no_picture(tokens, latents):
        tried.append(engine.renderer.pictures.size_bytes // ROW_BYTES)
        if tried[-1]:
            raise torch.OutOfMemoryError("too much")
        return nets.predict_latents(tokens, latents)

    faulty = Faulty(nets, predict_latents=beside_no_picture)
    engine = MuseTalkEngine(faulty, max_batch=1, picture_budget_bytes=100_000_000)
    engine.load_avatar(avatar)
    frame = frame_of(engine.new_voice(), speech(golden), 0, avatar=avatar)
    assert engine.generate([frame])[0].face is not None
    assert tried == [4, 2, 0]


def test_pictures_are_finished_on_the_device_where_they_fit_and_painted_elsewhere(nets, avatar, golden) -> None:
    painting, composing = MuseTalkEngine(nets), MuseTalkEngine(nets, picture_budget_bytes=100_000_000)
    painted, composed = [], []
    for engine, made in ((painting, painted), (composing, composed)):
        engine.load_avatar(avatar)
        made += mouths(engine, avatar, speech(golden, frames=2))
    assert composing.describe()["picture_bytes"] > 0 == painting.describe()["picture_bytes"]
    here, elsewhere = BaseFrame("idle_0", 0), BaseFrame("speaking_0", 2)
    for mouth, expected in zip(composed, painted, strict=True):
        assert mouth.picture is not None
        assert expected.picture is None
        one, other = composing.paint(mouth, 1.0, avatar, here), painting.paint(expected, 1.0, avatar, here)
        np.testing.assert_array_equal(one, mouth.picture)
        assert np.abs(one.astype(int) - other).max() <= 2
        for weight, base in ((0.5, here), (1.0, elsewhere)):
            one = composing.paint(mouth, weight, avatar, base)
            np.testing.assert_array_equal(one, painting.paint(expected, weight, avatar, base))
    kept = composed[-1].picture.copy()
    composing.paint(composed[-1], 1.0, avatar, here)[:] = 0
    np.testing.assert_array_equal(composed[-1].picture, kept)


def test_a_face_is_fetched_only_where_the_finished_picture_does_not_serve(nets, avatar, golden) -> None:
    engine = MuseTalkEngine(nets, picture_budget_bytes=100_000_000)
    engine.load_avatar(avatar)
    mouth = mouths(engine, avatar, speech(golden, frames=1))[0]
    out_of_reach = replace(mouth, face=mouth.face.to("meta"))  # nothing can be fetched from there
    here, elsewhere = BaseFrame("idle_0", 0), BaseFrame("speaking_0", 2)
    np.testing.assert_array_equal(engine.paint(out_of_reach, 1.0, avatar, here), mouth.picture)
    np.testing.assert_array_equal(engine.paint(out_of_reach, 0.0, avatar, here), avatar.videos["idle_0"].pictures[0])
    for weight, base in ((0.5, here), (1.0, elsewhere)):
        with pytest.raises(ModelError, match="face cannot be copied"):
            engine.paint(out_of_reach, weight, avatar, base)
    with ThreadPoolExecutor(4) as threads:  # as encoders do, with a mouth that is held
        painted = list(threads.map(lambda _: engine.paint(mouth, 1.0, avatar, elsewhere), range(8)))
    for picture in painted:
        np.testing.assert_array_equal(picture, painted[0])


def test_room_for_one_picture_serves_one_frame_of_a_batch_and_the_others_are_painted(nets, avatar, golden) -> None:
    engine = MuseTalkEngine(nets, picture_budget_bytes=700_000)
    engine.load_avatar(avatar)
    bases = [BaseFrame("idle_0", index) for index in (1, 0, 2)]
    frames = [frame_of(engine.new_voice(), speech(golden), 0, avatar=avatar, base=base) for base in bases]
    made = engine.generate(frames)
    assert sum(mouth.picture is not None for mouth in made) == 1
    whole = MuseTalkEngine(nets)
    whole.load_avatar(avatar)
    expected = whole.generate([replace(frame, voice=whole.new_voice()) for frame in frames])
    for mouth, other, base in zip(made, expected, bases, strict=True):
        assert np.abs(engine.renderer.face_on_host(mouth.face).astype(int) - other.face).max() <= 1
        one, two = engine.paint(mouth, 1.0, avatar, base), whole.paint(other, 1.0, avatar, base)
        assert np.abs(one.astype(int) - two).max() <= 3


def test_pictures_of_an_avatar_that_was_replaced_are_not_used(nets, avatar, golden) -> None:
    engine = MuseTalkEngine(nets, picture_budget_bytes=100_000_000)
    engine.load_avatar(avatar)
    videos = {
        name: replace(video, pictures=np.roll(video.pictures, 1, axis=0), landmarks=np.roll(video.landmarks, 1, axis=0))
        for name, video in avatar.videos.items()
    }
    turned = replace(avatar, videos=videos)
    engine.load_avatar(turned)
    base = BaseFrame("idle_0", 2)
    mouth = engine.generate([frame_of(engine.new_voice(), speech(golden), 0, avatar=turned, base=base)])[0]
    changed = engine.paint(mouth, 1.0, turned, base) != videos["idle_0"].pictures[2]
    assert 0 < changed.mean() < 0.2  # the mouth alone: it is on this picture, not on the old avatar's
    for loaded in (avatar, turned):
        engine.unload_avatar(loaded)
    assert engine.describe()["picture_bytes"] == 0


def test_a_device_that_answers_no_more_is_told_from_an_error_of_one_batch(nets, avatar, golden, monkeypatch) -> None:
    def broken(*_):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    engine = MuseTalkEngine(Faulty(nets, predict_latents=broken))
    engine.load_avatar(avatar)

    def generate():
        return engine.generate([frame_of(engine.new_voice(), speech(golden), 0, avatar=avatar)])

    with pytest.raises(torch.AcceleratorError):
        generate()
    monkeypatch.setattr(engine.renderer, "device_answers", lambda: False)
    with pytest.raises(EngineLost, match=r"cpu is lost: .*illegal memory access"):
        generate()
    engine._nets = Faulty(nets, encode_pictures=broken)
    with pytest.raises(EngineLost):
        engine.load_avatar(photo_avatar(golden["frame_bgr"], "bob"))


def test_no_memory_for_a_single_frame_is_an_error(nets, avatar, golden) -> None:
    def never(tokens, latents):
        raise torch.OutOfMemoryError("none at all")

    engine = MuseTalkEngine(Faulty(nets, predict_latents=never), max_batch=2)
    engine.load_avatar(avatar)
    frames = [frame_of(engine.new_voice(), speech(golden), 0, whole=True, avatar=avatar) for _ in range(2)]
    with pytest.raises(ModelError, match="not enough memory for one frame"):
        engine.generate(frames)


def test_an_engine_that_is_given_up_leaves_no_nets_behind(tiny_weights: Path, avatar, golden) -> None:
    engine = MuseTalkEngine.load(tiny_weights, "cpu", torch.float32)
    engine.load_avatar(avatar)
    voice = engine.new_voice()
    mouth = engine.generate([frame_of(voice, speech(golden), 0, avatar=avatar)])[0]
    nets = [weakref.ref(net) for net in (engine.renderer.nets.unet, engine.renderer.nets.vae)]
    gc.disable()
    try:
        del engine
        left = [net for net in nets if net() is not None]
    finally:
        gc.enable()
    assert left == []  # at once: the next engine needs their memory
    assert mouth.face is not None


def test_what_does_not_belong_to_the_engine_is_refused(engine, avatar, golden) -> None:
    with pytest.raises(ModelError, match="no voice of the musetalk engine"):
        engine.generate([frame_of(LightEngine().new_voice(), speech(golden), 0, avatar=avatar)])
    with pytest.raises(ModelError, match="cannot paint"):
        engine.paint(object(), 1.0, avatar, BASE)
    mouth = mouths(engine, avatar, speech(golden))[2]
    with pytest.raises(ModelError, match=r"'ann'.*no picture idle_0\[99\]"):
        engine.paint(mouth, 1.0, avatar, BaseFrame("idle_0", 99))
    with pytest.raises(ModelError, match="'bob' is not loaded"):
        engine.paint(mouth, 1.0, photo_avatar(golden["frame_bgr"], "bob"), BASE)


def test_a_frame_whose_avatar_is_gone_or_has_no_such_picture_takes_no_other_along(nets, avatar, golden) -> None:
    engine, undisturbed = MuseTalkEngine(nets), MuseTalkEngine(nets)
    bob = photo_avatar(golden["frame_bgr"], "bob")
    for loaded in (engine, undisturbed):
        loaded.load_avatar(avatar)
    engine.load_avatar(bob)
    pcm, healthy, alone = speech(golden), engine.new_voice(), undisturbed.new_voice()
    others, nowhere = [engine.new_voice(), engine.new_voice()], BaseFrame("idle_0", 99)
    for index in range(3):
        gone = frame_of(others[0], pcm, index, avatar=bob)
        lost = frame_of(others[1], pcm, index, avatar=avatar, base=nowhere)
        made = engine.generate([gone, frame_of(healthy, pcm, index, avatar=avatar), lost])
        expected = undisturbed.generate([frame_of(alone, pcm, index, avatar=avatar)])[0]
        assert [mouth.face is None for mouth in made] == [index > 0, False, True]
        assert np.abs(made[1].face.astype(int) - expected.face).max() <= 1
        engine.unload_avatar(bob)
    assert engine.fallback_frames == 5


def test_a_batch_that_is_refused_was_not_heard_and_can_be_given_again(engine, avatar, golden) -> None:
    frame = frame_of(engine.new_voice(), speech(golden), 0, avatar=avatar)
    other = frame_of(engine.new_voice(), speech(golden), 0, avatar=avatar)
    with pytest.raises(ModelError, match="does not fit"):
        engine.generate([frame, replace(other, window=other.window[1:])])
    assert engine.generate([frame])[0].face is not None


def test_loading_again_is_free_and_unloading_forgets(nets, avatar, golden) -> None:
    engine = MuseTalkEngine(nets)
    engine.load_avatar(avatar)
    before = engine._loaded(avatar)
    engine.load_avatar(avatar)
    assert engine._loaded(avatar) is before
    other = photo_avatar(golden["frame_bgr"])
    assert engine.load_avatar(other) == engine.load_avatar(avatar) > 0
    assert engine._loaded(other) is not engine._loaded(avatar)
    for loaded in (avatar, other, other):
        engine.unload_avatar(loaded)
    assert engine.describe()["avatars"] == []


def test_the_catalog_makes_it_from_a_folder_of_weights(tiny_weights: Path, avatar, golden) -> None:
    engine = create_engine("musetalk", device="cpu", model_path=tiny_weights)
    engine.load_avatar(avatar)
    frame = frame_of(engine.new_voice(), speech(golden), 0, avatar=avatar)
    assert engine.generate([frame])[0].face is not None


def test_face_parsing_serves_preparation_where_its_file_is_there(face_parsing_weights: Path, golden, tmp_path) -> None:
    tools = load_tools(face_parsing_weights, "cpu")
    assert tools.describe() == "boxes landmarks, masks parsing"
    assert (tools.labels(golden["bisenet_input"]) == golden["bisenet_labels"]).mean() > 0.999
    assert load_tools(tmp_path, "cpu").describe() == "boxes landmarks, masks landmarks"
