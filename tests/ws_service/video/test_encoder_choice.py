"""NVENC is held to the rules of our streams where a machine has it; where it has not, its lack is said."""

import av.logging
import pytest

from ws_service.video import bitstream, encoder_choice
from ws_service.video.encoder import NVENC, X264, EncodingError, H264Encoder, nvenc_options
from ws_service.video.encoder_choice import EncoderChoice, check_encoder, choose_encoder


def nvenc_is_here() -> bool:
    try:
        check_encoder(NVENC)
    except EncodingError:
        return False
    return True


def test_x264_makes_our_streams_and_is_what_runs_without_a_gpu() -> None:
    check_encoder(X264)
    assert choose_encoder("auto", has_gpu=False) == EncoderChoice(X264, "no GPU is in use")
    assert choose_encoder(X264, has_gpu=True) == EncoderChoice(X264, "H264_ENCODER=libx264")


def test_nvenc_keeps_the_rules_of_our_streams_or_its_lack_is_told_in_ffmpegs_own_words() -> None:
    if nvenc_is_here():
        assert choose_encoder(NVENC, has_gpu=True).name == NVENC
        return
    with pytest.raises(EncodingError, match=r"h264_nvenc cannot be opened: \S+") as refused:
        choose_encoder(NVENC, has_gpu=True)
    assert "{" not in str(refused.value), "a sentence, not a dump of options"
    choice = choose_encoder("auto", has_gpu=True)
    assert choice.name == X264
    assert "h264_nvenc cannot be opened" in choice.reason


def test_pyav_logs_as_before_when_the_look_is_over() -> None:
    before = av.logging.get_level()
    check_encoder(X264)
    with pytest.raises(EncodingError):
        check_encoder("no_such_encoder")
    assert av.logging.get_level() == before


def test_an_encoder_that_begins_streams_too_slowly_or_bears_too_few_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoder_choice, "FRAME_MS", 0)
    with pytest.raises(EncodingError, match="to begin a stream"):
        encoder_choice._check_many(X264)
    monkeypatch.setattr(encoder_choice, "FRAME_MS", 60_000)
    encoder_choice._check_many(X264)
    with pytest.raises(EncodingError, match="bears only 0 streams"):
        encoder_choice._check_many("no_such_encoder")


class _Careless(H264Encoder):
    """Gives no key frame when it is asked for one."""

    def encode(self, picture, keyframe=False):  # type: ignore[no-untyped-def]
        return super().encode(picture, False)


def test_a_stream_that_breaks_a_rule_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_choice, "H264Encoder", _Careless)
    with pytest.raises(EncodingError, match="IDR pictures in other places"):
        check_encoder(X264)
    monkeypatch.undo()
    monkeypatch.setattr(bitstream, "faults", lambda data: ["has 2 slices, not one"])
    with pytest.raises(EncodingError, match="it has 2 slices"):
        check_encoder(X264)


def test_nvenc_is_asked_for_single_pictures_at_once_and_without_b_pictures() -> None:
    options = nvenc_options(all_intra=False)
    assert (options["delay"], options["bf"], options["forced-idr"], options["profile"]) == ("0", "0", "1", "baseline")
    assert (options["g"], nvenc_options(all_intra=True)["g"]) == ("25", "1")
