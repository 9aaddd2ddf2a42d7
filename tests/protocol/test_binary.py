import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.binary import (
    HEADER_BYTES,
    NO_AUDIO,
    AudioUpload,
    MediaFlag,
    MediaHeader,
    MediaKind,
    unpack_media,
    unpack_upload,
)
from protocol.timing import MAX_CHUNK_BYTES
from protocol.wire import ProtocolViolation

HEADERS = st.builds(
    MediaHeader,
    kind=st.sampled_from([MediaKind.VIDEO, MediaKind.AUDIO]),
    flags=st.integers(0, 7).map(MediaFlag),
    action_progress=st.integers(0, 65535).map(lambda n: n / 65535),
    sequence=st.integers(0, 2**32 - 1),
    timestamp_ms=st.integers(0, 2**64 - 1),
    audio_ms=st.none() | st.integers(0, NO_AUDIO - 1),
)


@given(HEADERS, st.binary(max_size=50))
def test_a_header_comes_back_as_it_was(header: MediaHeader, payload: bytes) -> None:
    packed = header.pack()
    assert len(packed) == HEADER_BYTES == 20
    assert unpack_media(packed + payload) == (header, payload)


def test_the_layout_is_the_published_one() -> None:
    header = MediaHeader(MediaKind.VIDEO, MediaFlag.KEYFRAME | MediaFlag.GENERATED, 1.0, 258, 80, None)
    assert header.pack().hex(" ") == "01 03 ff ff 02 01 00 00 50 00 00 00 00 00 00 00 ff ff ff ff"
    assert header.keyframe
    assert header.generated
    upload = AudioUpload(b"\xaa\xbb\xcc", sample_rate=48000, channels=2, end_of_utterance=True)
    assert upload.pack().hex(" ") == "10 01 02 00 80 bb 00 00" + " 00" * 12 + " aa bb cc"


def test_the_sequence_wraps() -> None:
    header = MediaHeader(MediaKind.AUDIO, MediaFlag.NONE, 0, 2**32 + 5, 0, 0)
    assert unpack_media(header.pack()).header.sequence == 5


@pytest.mark.parametrize(
    "wrong", [{"action_progress": 1.01}, {"audio_ms": NO_AUDIO}, {"audio_ms": -1}, {"timestamp_ms": -40}]
)
def test_a_value_outside_its_field_is_not_packed(wrong: dict[str, float]) -> None:
    header = MediaHeader(MediaKind.VIDEO, MediaFlag.NONE, 0.0, 0, 0, 0)._replace(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=next(iter(wrong))):
        header.pack()


@given(
    st.builds(
        AudioUpload,
        pcm=st.binary(max_size=100),
        sample_rate=st.integers(8000, 48000),
        channels=st.integers(1, 2),
        end_of_utterance=st.booleans(),
    )
)
def test_an_upload_comes_back_as_it_was(upload: AudioUpload) -> None:
    assert unpack_upload(upload.pack()) == upload


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", "header"),
        (bytes(19), "header"),
        (bytes(20), "header.kind"),
        (AudioUpload(b"", channels=0).pack(), "header.channels"),
        (AudioUpload(b"", channels=3).pack(), "header.channels"),
        (AudioUpload(b"", sample_rate=7999).pack(), "header.sample_rate"),
        (AudioUpload(b"", sample_rate=96000).pack(), "header.sample_rate"),
        (AudioUpload(bytes(MAX_CHUNK_BYTES + 1)).pack(), "payload"),
    ],
)
def test_a_wrong_upload_is_refused_by_the_field(data: bytes, path: str) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        unpack_upload(data)
    assert caught.value.details["path"] == path


def test_flags_of_later_versions_are_dropped() -> None:
    data = bytearray(AudioUpload(b"xy").pack())
    data[1] = 0xFE
    assert unpack_upload(bytes(data)) == AudioUpload(b"xy")
    down = bytearray(MediaHeader(MediaKind.VIDEO, MediaFlag.ACTION, 0, 0, 0, None).pack())
    down[1] |= 0xF0
    assert unpack_media(bytes(down)).header.flags == MediaFlag.ACTION


def test_a_client_refuses_what_only_clients_say() -> None:
    with pytest.raises(ProtocolViolation, match="kind"):
        unpack_media(AudioUpload(b"").pack())
