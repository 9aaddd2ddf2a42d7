from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.errors import ModelError  # noqa: E402
from models.musetalk.nets import MuseTalkNets  # noqa: E402
from models.musetalk.whisper_encoder import build_whisper_encoder, encoder_tensors  # noqa: E402
from tests.models.musetalk.closeness import relative_error  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import WHISPER_CONFIG  # noqa: E402

PUBLISHED = WHISPER_CONFIG | {"encoder_ffn_dim": 1536}


@pytest.fixture(scope="module")
def mel(golden: dict) -> torch.Tensor:
    """The golden log-mel with the silence behind it that the golden file leaves out."""
    columns = golden["mel"]  # (80, 620): 6 s and a little silence
    silence = np.repeat(columns[:, -1:], 3000 - columns.shape[1], axis=1)
    return torch.from_numpy(np.concatenate([columns, silence], axis=1))[None]  # (1, 80, 3000)


@pytest.fixture(scope="module")
def states(nets: MuseTalkNets, mel: torch.Tensor) -> torch.Tensor:
    return nets.hidden_states(mel)


def test_hidden_states_are_the_references(states: torch.Tensor, golden: dict) -> None:
    assert states.shape == (1, 1500, 5, 384)
    rows = states[0, golden["whisper_hidden_rows"]].numpy()
    assert relative_error(rows, golden["whisper_hidden"]) < 1e-5


def test_ten_rows_flattened_row_by_row_are_the_references_tokens(states: torch.Tensor, golden: dict) -> None:
    rows = torch.cat([torch.zeros(4, 5, 384), states[0, :300], torch.zeros(12, 5, 384)])
    tokens = torch.stack([rows[2 * frame : 2 * frame + 10].reshape(50, 384) for frame in golden["chunk_frames"]])
    assert relative_error(tokens.numpy(), golden["audio_chunks"]) < 1e-5


def test_the_last_state_is_normed_and_the_one_before_it_is_not(states: torch.Tensor) -> None:
    spread = states[0].std(dim=2).mean(dim=0)  # (5,)
    assert spread[4].item() == pytest.approx(1.0, abs=0.1)
    assert spread[3].item() > 1.3


def test_segments_do_not_hear_each_other(nets: MuseTalkNets, mel: torch.Tensor, states: torch.Tensor) -> None:
    both = nets.hidden_states(torch.cat([mel.flip(2), mel]))  # (2, 1500, 5, 384)
    torch.testing.assert_close(both[1], states[0], rtol=0, atol=1e-4)


def test_the_decoder_is_left_out_and_the_prefix_taken_off() -> None:
    names = ["model.encoder.conv1.weight", "model.decoder.embed_tokens.weight", "proj_out.weight", "mystery"]
    assert list(encoder_tensors(dict.fromkeys(names, torch.zeros(1)))) == ["conv1.weight", "mystery"]
    assert list(encoder_tensors({"encoder.conv1.weight": torch.zeros(1)})) == ["conv1.weight"]


def test_the_published_configuration_has_the_published_size() -> None:
    encoder = build_whisper_encoder(PUBLISHED, Path("config.json"))
    assert sum(parameter.numel() for parameter in encoder.parameters()) / 1e6 == pytest.approx(8.21, abs=0.01)


@pytest.mark.parametrize(("field", "value"), [("d_model", 512), ("encoder_layers", 6), ("num_mel_bins", 128)])
def test_a_larger_whisper_is_refused_by_field(field: str, value: int) -> None:
    with pytest.raises(ModelError, match=rf"whisper/config\.json: {field} is {value}, where whisper-tiny has"):
        build_whisper_encoder(WHISPER_CONFIG | {field: value}, Path("whisper/config.json"))
