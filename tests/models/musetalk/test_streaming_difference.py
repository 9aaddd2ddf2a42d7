"""What `docs/streaming.md` says of live speech and the reference's way, on a second of speech."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from tests.models.musetalk.streaming_difference import Heard, hear, layer_differences, level_differences

FRAMES = [0, 6, 12, 18, 21, 22, 23, 24]


@pytest.fixture(scope="module")
def both(nets, golden) -> tuple[Heard, Heard]:
    """Live and offline."""
    pcm = golden["pcm16k"][20_000 : 20_000 + 25 * 640]
    live, offline = (hear(nets, pcm, FRAMES, golden["latents"], whole=whole) for whole in (False, True))
    return live, offline


def test_frames_whose_look_ahead_holds_the_end_are_the_references(both) -> None:
    live, offline = both
    np.testing.assert_array_equal(live.tokens[-3:], offline.tokens[-3:])
    np.testing.assert_array_equal(live.faces[-3:], offline.faces[-3:])


def test_before_them_the_stem_differs_until_the_loudest_sound_is_heard_and_attention_all_along(both) -> None:
    layers = layer_differences(*both)
    assert layers[:2, 0].min() > 0
    assert layers[2:, 0].max() == 0, "the loudest sound of this second lies before frame 12"
    assert (layers[:-3, 1:] > 0).all()


def test_the_more_is_heard_the_nearer_live_speech_comes(both) -> None:
    live, offline = both
    differences = level_differences(live.faces, offline.faces)
    assert (np.diff(differences) <= 0).all()
    assert differences.mean() < 0.2 * np.median(level_differences(offline.faces[1:], offline.faces[:-1]))
