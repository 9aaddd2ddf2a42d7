import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws_service.video.bitstream import (
    NalType,
    codec_string,
    faults,
    has_parameter_sets,
    is_idr,
    join_nals,
    nal_types,
    parameter_sets,
    slice_header,
    split_nals,
    without_sei,
)

SPS = bytes.fromhex("6742c01eda020041a1000003000100000300328f162ea0")
PPS = bytes.fromhex("68ce0fc8")
SEI = b"\x06\x05\x01\x80"
IDR = b"\x65\x88\x84\x11\x22"  # first_mb 0, I slice
P = b"\x41\x9a\x11\x22\x33"  # first_mb 0, P slice

# a NAL unit holds no start code and does not end in zero (emulation prevention and the stop bit see to that)
NALS = st.binary(min_size=1, max_size=30).filter(lambda nal: b"\0\0" not in nal and nal[-1] != 0)
JUNK = st.binary(max_size=200) | st.lists(
    st.sampled_from([b"\0", b"\0\0\1", b"\0\0\0\1", b"\x65", b"\x67", b"\x41\x9a", SPS, IDR]), max_size=12
).map(b"".join)


@given(st.lists(NALS, max_size=6))
def test_what_is_joined_splits_again(nals: list[bytes]) -> None:
    assert split_nals(join_nals(nals)) == nals


@given(JUNK)
def test_no_bytes_crash_it(junk: bytes) -> None:
    for nal in split_nals(junk):
        assert nal
        slice_header(nal)
    assert isinstance(is_idr(junk), bool)
    assert isinstance(has_parameter_sets(junk), bool)
    assert split_nals(without_sei(junk)) == [nal for nal in split_nals(junk) if nal[0] & 31 != NalType.SEI]
    assert all(isinstance(fault, str) for fault in faults(junk))
    try:
        assert codec_string(junk).startswith("avc1.")
    except ValueError:
        assert not any(nal[0] & 31 == NalType.SPS and len(nal) >= 4 for nal in split_nals(junk))


def test_both_start_codes_and_padding_are_understood() -> None:
    stream = b"\0\0\0\1" + SPS + b"\0\0\1" + PPS + b"\0\0\0\0\1" + IDR + b"\0\0\0"
    assert split_nals(stream) == [SPS, PPS, IDR]
    assert nal_types(stream) == [7, 8, 5]


def test_an_idr_and_its_parameter_sets_are_seen() -> None:
    full = join_nals([SPS, PPS, IDR])
    assert is_idr(full)
    assert has_parameter_sets(full)
    assert parameter_sets(full) == (SPS, PPS)
    assert not is_idr(join_nals([P]))
    assert not has_parameter_sets(join_nals([SPS, IDR]))


def test_supplemental_information_can_be_taken_out() -> None:
    assert without_sei(join_nals([SEI, SPS, PPS, SEI, IDR])) == join_nals([SPS, PPS, IDR])


def test_the_codec_string_is_read_from_the_sps() -> None:
    assert codec_string(join_nals([SPS, PPS])) == "avc1.42C01E"
    for stream in (b"", join_nals([IDR]), join_nals([SPS[:3]])):
        with pytest.raises(ValueError, match="sequence parameter set"):
            codec_string(stream)


def test_slice_headers_tell_first_macroblock_and_type() -> None:
    assert slice_header(IDR) == (0, 7)
    assert slice_header(P) == (0, 5)
    assert slice_header(b"\x41\x5f") == (1, 0)
    assert slice_header(b"\x41\x00") is None
    assert slice_header(SPS) is None


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"", "0 pictures"),
        (b"x" + join_nals([P]), "start code"),
        (join_nals([P, P]), "2 pictures"),
        (join_nals([P, b"\x41\x5f\x11"]), "2 slices"),
        (join_nals([b"\x41\x01"]), "cut short"),
        (join_nals([b"\x01\x9e\x11"]), "B slice"),
        (join_nals([IDR]), "without its parameter sets"),
    ],
)
def test_each_fault_is_named(stream: bytes, fault: str) -> None:
    assert any(fault in found for found in faults(stream))


def test_good_access_units_have_no_faults() -> None:
    assert faults(join_nals([SPS, PPS, IDR])) == []
    assert faults(b"\0\0\1" + P) == []
