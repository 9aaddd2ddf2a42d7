import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.musetalk.positional_encoding import positional_encoding  # noqa: E402


def test_sines_and_cosines_alternate_and_slow_down_to_a_ten_thousandth() -> None:
    table = positional_encoding()
    assert table.shape == (50, 384)
    assert table[0, 0::2].eq(0).all()
    assert table[0, 1::2].eq(1).all()
    torch.testing.assert_close(table[:, 0], torch.arange(50).float().sin())
    torch.testing.assert_close(table[:, 1], torch.arange(50).float().cos())
    slowest = 10_000 ** (-382 / 384)
    assert table[49, 382].item() == pytest.approx(np.sin(49 * slowest), rel=1e-5)


def test_golden_tokens_less_their_positions_are_the_golden_chunks(golden: dict) -> None:
    rows = [list(golden["chunk_frames"]).index(frame) for frame in golden["unet_frames"]]
    chunks = torch.from_numpy(golden["audio_chunks"][rows])  # (4, 50, 384)
    assert np.array_equal((chunks + positional_encoding()).numpy(), golden["audio_tokens_pe"])
