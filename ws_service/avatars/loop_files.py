"""An avatar's encoded loops, kept in its folder: encoding them is most of what loading an avatar takes.

Owns the file's form and when it may be used: for the same content of the avatar, and with an encoder that makes the
same stream as then, since the packets are spliced with those of the sessions' encoders. Else, or where the folder
cannot be written, the loops are encoded anew. No pickle; zip's checksums tell a damaged file.
"""

import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from models.avatar_manifest import read_manifest
from models.errors import AvatarError
from models.prepared_avatar import PreparedAvatar
from models.unfinished_folder import UnfinishedFolder
from ws_service.video.bridges import loop_pictures
from ws_service.video.encoder import ALL_INTRA_QUANTIZER, PICTURE_SHAPE, QUANTIZER, X264, EncodingError, H264Encoder
from ws_service.video.loop import EncodedLoop, encode_loops
from ws_service.video.packet import Packet

Loops = dict[str, EncodedLoop]

_VERSION = 1


def avatar_loops(
    avatar: PreparedAvatar,
    *,
    all_intra: bool = False,
    encoder_name: str = X264,
    on_share: Callable[[float], None] = lambda _: None,
) -> Loops:
    """The avatar's base videos, encoded: read from its folder, or encoded now and kept there.

    `on_share`: as of `encode_loops`. Raises `EncodingError`.
    """
    name = _file_name(all_intra=all_intra, encoder_name=encoder_name)
    if avatar.folder is not None:
        found = _read(avatar.folder / name, avatar, all_intra=all_intra, encoder_name=encoder_name)
        if found is not None:
            return found
    pictures = loop_pictures(avatar)
    loops = encode_loops(pictures, all_intra=all_intra, encoder_name=encoder_name, on_share=on_share)
    if avatar.folder is not None:
        content = _content(loops, _origin(avatar, loops, all_intra=all_intra, encoder_name=encoder_name))
        _keep(avatar.folder, avatar.revision, name, content)
    return loops


def encode_ahead(avatar: PreparedAvatar, on_share: Callable[[float], None]) -> None:
    """Encode the loops of an avatar that was just made, so that the first session does not wait for it."""
    with suppress(EncodingError):  # the service says so, to the session that asks
        avatar_loops(avatar, on_share=on_share)


def _keep(folder: Path, revision: str, name: str, content: Mapping[str, NDArray[np.generic]]) -> None:
    """Put a file into an avatar's folder, whole or not at all. Where it cannot be, it is to be made again.

    `revision`: of the avatar that it belongs to; where another has come in its place the file is not kept.
    """
    with suppress(OSError, AvatarError), UnfinishedFolder(folder) as place:
        np.savez(place.path / name, **content)  # type: ignore[arg-type] # numpy types its own flag
        if read_manifest(folder).revision == revision:
            os.replace(place.path / name, folder / name)


def is_loops_file(name: str) -> bool:
    """A file of this name in an avatar's folder holds loops."""
    return fnmatchcase(name, "loops.*.npz")


def _file_name(*, all_intra: bool, encoder_name: str) -> str:
    return f"loops.{encoder_name}{'.intra' if all_intra else ''}.npz"


def _content(loops: Loops, origin: str) -> dict[str, NDArray[np.generic]]:
    one = next(iter(loops.values()))
    arrays: dict[str, NDArray[np.generic]] = {
        "origin": np.array(origin),
        "codec": np.array(one.codec),
        "quantizer": np.array(one.quantizer),
    }
    for name, loop in loops.items():
        arrays[f"{name}.bytes"] = np.frombuffer(b"".join(packet.data for packet in loop.packets), np.uint8)
        arrays[f"{name}.sizes"] = np.array([len(packet.data) for packet in loop.packets], np.int64)
        arrays[f"{name}.keyframes"] = np.array([packet.keyframe for packet in loop.packets], np.bool_)
    return arrays


def _read(path: Path, avatar: PreparedAvatar, *, all_intra: bool, encoder_name: str) -> Loops | None:
    """The loops of a file that is there, whole and of the same origin."""
    if not path.is_file():
        return None
    lengths = {name: len(pictures) for name, pictures in loop_pictures(avatar).items()}
    try:
        with np.load(path, allow_pickle=False) as stored:
            if (bad := stored.zip.testzip()) is not None:  # before numpy looks at what the files say of themselves
                raise ValueError(f"the checksum of {bad} is wrong")
            codec, quantizer = str(stored["codec"]), int(stored["quantizer"])
            loops = {
                name: EncodedLoop.of_packets(
                    name,
                    _cut(stored[f"{name}.bytes"], stored[f"{name}.sizes"], stored[f"{name}.keyframes"]),
                    codec=codec,
                    quantizer=quantizer,
                )
                for name in lengths
            }
            origin = str(stored["origin"])
        if any(len(loops[name]) != length for name, length in lengths.items()):
            return None
        if origin != _origin(avatar, loops, all_intra=all_intra, encoder_name=encoder_name):
            return None
    except Exception as error:  # a damaged file can fail in any way, and it can be made again
        structlog.get_logger().warning("encoded loops are damaged and made anew", file=str(path), error=repr(error))
        return None
    return loops


def _cut(content: NDArray[np.uint8], sizes: NDArray[np.int64], keyframes: NDArray[np.bool_]) -> list[Packet]:
    if int(sizes.min(initial=0)) < 0 or int(sizes.sum()) != content.size:
        raise ValueError("packets of another length")
    whole, packets, start = content.tobytes(), [], 0
    for size, keyframe in zip(sizes.tolist(), keyframes.tolist(), strict=True):
        packets.append(Packet(whole[start : start + size], keyframe))
        start += size
    return packets


def _origin(avatar: PreparedAvatar, loops: Loops, *, all_intra: bool, encoder_name: str) -> str:
    quantizer = next(iter(loops.values())).quantizer
    stream = _stream_made_now(encoder_name, all_intra=all_intra, quantizer=quantizer)
    return f"{_VERSION}: avatar {avatar.revision}, {encoder_name} {all_intra} {quantizer} {stream}"


@lru_cache(maxsize=64)
def _stream_made_now(encoder_name: str, *, all_intra: bool, quantizer: int) -> str:
    """What this encoder makes of known pictures: another whenever its settings or its version make another stream."""
    default = ALL_INTRA_QUANTIZER if all_intra else QUANTIZER
    encoder = H264Encoder(all_intra=all_intra, encoder_name=encoder_name, quantizer=quantizer or default)
    ramp = np.add.outer(np.arange(PICTURE_SHAPE[0]), np.arange(PICTURE_SHAPE[1]))
    value = 0
    for number in range(3):
        value = zlib.crc32(encoder.encode(((ramp + 9 * number) % 200 + 20).astype(np.uint8)).data, value)
    encoder.close()
    return f"{value:08x}"
