"""What the service and its preparation child say to each other: one request down, JSON lines up.

Owns these values and their form. Imports the standard library only: the child reads its request before anything heavy.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class PreparationRequest:
    """One avatar to be made: `sources` become `avatars_dir/avatar_id`.

    `sources` by field of the form: `image_file`, a photo; `recording_file`, a long video that is cut; `video_file` or
    base videos by name. `replace`: an avatar of this name gives way. `memory_bytes`: what the child may allocate.
    `actions`: from and to, in seconds of a long recording. `steadying`: the ways by name, all on unless said.
    """

    avatar_id: str
    avatars_dir: Path
    sources: Mapping[str, Path]
    replace: bool
    memory_bytes: int
    actions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    steadying: Mapping[str, bool] = field(default_factory=dict)

    def line(self) -> bytes:
        """As the child reads it."""
        sources = {name: str(path) for name, path in self.sources.items()}
        return _line({**asdict(self), "avatars_dir": str(self.avatars_dir), "sources": sources})

    @classmethod
    def from_line(cls, line: bytes) -> "PreparationRequest":
        """Of `line`."""
        fields = json.loads(line)
        sources = {name: Path(path) for name, path in fields["sources"].items()}
        actions = {name: (start_s, end_s) for name, (start_s, end_s) in fields["actions"].items()}
        folder = Path(fields["avatars_dir"])
        return cls(**{**fields, "avatars_dir": folder, "sources": sources, "actions": actions})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the child is. `fraction`: 0..1 of the whole. `thumbnail`: a JPEG in base64, or empty for none new."""

    stage: str
    fraction: float
    frames_per_second: float | None = None
    thumbnail: str = ""


DONE = Progress("done", 1.0)  # the avatar has appeared


@dataclass(frozen=True, slots=True)
class Publishing:
    """The avatar appears now. `stamp`: of its manifest, by which it is known there should the child die meanwhile."""

    stamp: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Ending:
    """The child's last word. `error`: why there is no avatar, one sentence for whoever sent the recording; None: done.

    `trace`: the traceback of what nobody expected. `peak_memory_bytes`: resident memory at its highest.
    """

    error: str | None = None
    trace: str = ""
    peak_memory_bytes: int = 0


def message_line(message: Progress | Publishing | Ending) -> bytes:
    """As the service reads it."""
    return _line({type(message).__name__: asdict(message)})


def read_message(line: bytes) -> Progress | Publishing | Ending:
    """Of `message_line`. Raises `ValueError` for anything else: a child that was killed may leave half a line."""
    match json.loads(line):
        case {"Progress": fields}:
            return Progress(**fields)
        case {"Publishing": {"stamp": [int(inode), int(modified_ns), int(size_bytes)]}}:
            return Publishing((inode, modified_ns, size_bytes))
        case {"Ending": fields}:
            return Ending(**fields)
        case other:
            raise ValueError(f"{other!r} is no message")


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode() + b"\n"
