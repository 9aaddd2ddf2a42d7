"""H.264 Annex B, as far as streaming needs it: NAL units, what they are, the codec string, and what may be wrong.

Pure functions over bytes; any bytes are taken, none crash. Decodes no picture. Source of all numbers: ITU-T H.264,
sections 7.3.1 (NAL units), 7.3.2.1 (sequence parameter set), 7.3.3 (slice header), 9.1 (Exp-Golomb), Annex B;
RFC 6381 section 3.3 for the codec string.
"""

from enum import IntEnum

_START_CODE = b"\x00\x00\x01"
_B_SLICES = (1, 6)


class NalType(IntEnum):
    """The types that occur in our streams."""

    SLICE = 1
    IDR_SLICE = 5
    SEI = 6
    SPS = 7
    PPS = 8


def split_nals(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B stream, without start codes and padding. What precedes the first is dropped."""
    nals = []
    start = data.find(_START_CODE)
    while start >= 0:
        end = data.find(_START_CODE, start + 3)
        # zeros before a start code are its own leading byte or padding: a NAL unit never ends in one
        nal = data[start + 3 : end if end >= 0 else len(data)].rstrip(b"\0")
        if nal:
            nals.append(nal)
        start = end
    return nals


def join_nals(nals: list[bytes]) -> bytes:
    """An Annex B stream with four-byte start codes."""
    return b"".join(b"\0" + _START_CODE + nal for nal in nals)


def nal_type(nal: bytes) -> int:
    """0..31; 0 for an empty one."""
    return nal[0] & 0x1F if nal else 0


def nal_types(data: bytes) -> list[int]:
    """The types of an access unit's NAL units, in order."""
    return [nal_type(nal) for nal in split_nals(data)]


def is_idr(data: bytes) -> bool:
    """The access unit has a slice of an IDR picture."""
    return NalType.IDR_SLICE in nal_types(data)


def has_parameter_sets(data: bytes) -> bool:
    """The access unit brings its SPS and PPS."""
    types = nal_types(data)
    return NalType.SPS in types and NalType.PPS in types


def parameter_sets(data: bytes) -> tuple[bytes, ...]:
    """The SPS and PPS units of an access unit. Streams whose sets are equal can be spliced at IDR pictures."""
    return tuple(nal for nal in split_nals(data) if nal_type(nal) in (NalType.SPS, NalType.PPS))


def without_sei(data: bytes) -> bytes:
    """The access unit without supplemental information (x264 describes itself there, in its first packet)."""
    return join_nals([nal for nal in split_nals(data) if nal_type(nal) != NalType.SEI])


def codec_string(data: bytes) -> str:
    """RFC 6381's name of the stream, such as `avc1.42C01E`. Raises `ValueError` without an SPS."""
    for nal in split_nals(data):
        if nal_type(nal) == NalType.SPS and len(nal) >= 4:
            return f"avc1.{nal[1:4].hex().upper()}"
    raise ValueError("no sequence parameter set")


def slice_header(nal: bytes) -> tuple[int, int] | None:
    """(first_mb_in_slice, slice_type) of a slice; None when it is none or is cut short."""
    if nal_type(nal) not in (NalType.SLICE, NalType.IDR_SLICE):
        return None
    # 16 bytes hold both numbers; emulation prevention (00 00 03) cannot occur before them but in junk
    bits = "".join(f"{byte:08b}" for byte in nal[1:17])
    first, at = _exp_golomb(bits, 0)
    kind, _ = _exp_golomb(bits, at)
    return None if first is None or kind is None else (first, kind)


def faults(data: bytes) -> list[str]:
    """What keeps `data` from being one picture of our streams, as sentences; empty when nothing does."""
    found = []
    nals = split_nals(data)
    if not data.startswith((_START_CODE, b"\0" + _START_CODE)):
        found.append("does not begin with a start code")
    slices = [nal for nal in nals if nal_type(nal) in (NalType.SLICE, NalType.IDR_SLICE)]
    headers = [slice_header(nal) for nal in slices]
    pictures = sum(header is not None and header[0] == 0 for header in headers)
    if pictures != 1:
        found.append(f"holds {pictures} pictures, not one")
    if len(slices) > 1:
        found.append(f"has {len(slices)} slices, not one")
    if any(header is None for header in headers):
        found.append("has a slice whose header is cut short")
    if any(header is not None and header[1] in _B_SLICES for header in headers):
        found.append("has a B slice")
    if is_idr(data) and not has_parameter_sets(data):
        found.append("is an IDR picture without its parameter sets")
    return found


def _exp_golomb(bits: str, at: int) -> tuple[int | None, int]:
    one = bits.find("1", at)
    zeros = one - at
    end = one + zeros + 1
    if one < 0 or end > len(bits):
        return None, len(bits)
    return int(bits[one:end], 2) - 1, end
