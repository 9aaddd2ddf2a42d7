"""From sound, picture and face box to the finished picture, with nothing of the reference's in between."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.musetalk.audio_features import (  # noqa: E402
    WINDOW_ROWS,
    LogMel,
    frame_count,
    normalised,
    row_count,
    utterance_mels,
    window_pieces,
)
from models.musetalk.blending import blend_bgr  # noqa: E402
from models.musetalk.jaw_mask import Box, crop_box, face_region, soft_mask  # noqa: E402
from models.musetalk.material import face_crop  # noqa: E402
from models.musetalk.nets import MuseTalkNets  # noqa: E402
from tests.models.musetalk.closeness import level_errors, relative_error  # noqa: E402


@pytest.fixture(scope="module")
def windows(nets: MuseTalkNets, golden: dict) -> torch.Tensor:
    """The rows that the golden frames see, `(4, 10, 5, 384)`, from the sound."""
    pcm = golden["pcm16k"]
    assert frame_count(len(pcm)) == golden["frame_count"]
    mel = normalised(torch.stack([segment.log_mel for segment in utterance_mels(pcm, LogMel())]))  # (1, 80, 3000)
    hidden = nets.hidden_states(mel)  # (1, 1500, 5, 384)
    windows = torch.zeros(len(golden["unet_frames"]), WINDOW_ROWS, 5, 384)
    for window, frame in zip(windows, golden["unet_frames"], strict=True):
        for piece in window_pieces(int(frame), row_count(len(pcm))):
            rows = hidden[piece.segment, piece.start : piece.start + piece.length]
            window[piece.target : piece.target + piece.length] = rows
    return windows


@pytest.fixture(scope="module")
def latents(nets: MuseTalkNets, golden: dict) -> torch.Tensor:
    """The picture's latents, `(1, 8, 32, 32)`, from the picture and the face box."""
    crop = face_crop(golden["frame_bgr"], Box(*golden["bbox"].tolist()))
    return nets.encode_pictures(torch.from_numpy(crop)[None])


def draw(nets: MuseTalkNets, tokens: torch.Tensor, latents: torch.Tensor) -> np.ndarray:
    """Pictures `(4, 256, 256, 3)` of tokens with positions and latents."""
    return nets.decode(nets.predict_latents(tokens, latents.expand(len(tokens), -1, -1, -1))).numpy()


def test_tokens_from_the_sound_are_the_references(nets: MuseTalkNets, windows: torch.Tensor, golden: dict) -> None:
    tokens = nets.add_positions(windows.flatten(1, 2))  # (4, 50, 384)
    assert relative_error(tokens.numpy(), golden["audio_tokens_pe"]) < 1e-5


def test_latents_from_the_picture_are_the_references(latents: torch.Tensor, golden: dict) -> None:
    assert relative_error(latents.numpy(), golden["latents"]) < 1e-5


def test_pictures_from_sound_and_picture_are_the_references(
    nets: MuseTalkNets, windows: torch.Tensor, latents: torch.Tensor, golden: dict
) -> None:
    faces = draw(nets, nets.add_positions(windows.flatten(1, 2)), latents)
    largest, mean = level_errors(faces, golden["generated_bgr"])
    assert largest <= 2
    assert mean <= 0.05

    box = Box(*golden["bbox"].tolist())
    mask = soft_mask(face_region(golden["labels"]), box, crop_box(box))
    for face, expected in zip(faces, golden["blended_bgr"], strict=False):  # of the first two frames
        blended = blend_bgr(golden["frame_bgr"], face, box, crop_box(box), mask)
        largest, mean = level_errors(blended, expected)
        assert largest <= 3
        assert mean <= 0.05


@pytest.mark.parametrize("mistake", ["no positions", "layer by layer", "a row late", "latents swapped"])
def test_the_usual_mistakes_would_be_seen(
    nets: MuseTalkNets, windows: torch.Tensor, latents: torch.Tensor, golden: dict, mistake: str
) -> None:
    tokens = windows.flatten(1, 2)  # (4, 50, 384)
    if mistake == "layer by layer":
        tokens = windows.transpose(1, 2).flatten(1, 2)
    elif mistake == "a row late":
        tokens = torch.cat([windows[:, 1:], torch.zeros_like(windows[:, :1])], dim=1).flatten(1, 2)
    if mistake != "no positions":
        tokens = nets.add_positions(tokens)
    if mistake == "latents swapped":
        latents = latents.roll(4, dims=1)
    _, mean = level_errors(draw(nets, tokens, latents), golden["generated_bgr"])
    assert mean > 10  # 200 times what is allowed
