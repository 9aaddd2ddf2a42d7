"""Downloads MuseTalk's files from the hub: with progress, going on where an earlier run stopped, checked by checksum.

The hub's client resumes within one download but throws a partial file away when the process ends, so the partial file
is kept here, beside its destination, named after the version it is a part of. Imports no torch.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.file_download import HfFileMetadata, http_get
from huggingface_hub.utils import build_hf_headers

from models.errors import ModelError
from models.musetalk.weight_files import USUAL_FILES, HubFile, WeightFile

# downloaded: now on disk and equal to the hub's. complete: was there and is equal. kept: was there, and the hub has
# no file of this name. differs: was there and is not the hub's (damaged, or somebody's own); left as it is.
Outcome = Literal["downloaded", "complete", "kept", "differs"]


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """What became of one file; `verified` where its checksum was compared with the hub's."""

    file: WeightFile
    path: Path
    outcome: Outcome
    verified: bool


def fetch_weights(
    root: Path,
    *,
    files: tuple[WeightFile, ...] = USUAL_FILES,
    replace: bool = False,
    endpoint: str | None = None,
    report: Callable[[FetchedFile], None] = lambda _: None,
) -> list[FetchedFile]:
    """Bring a folder of weights up to date, one file after another; the bar on standard error is the hub client's.

    Files that are there stay, also where they differ from the hub's, unless `replace`. `endpoint` is another hub's
    address; None is HF_ENDPOINT or huggingface.co. Raises `ModelError`, in one sentence, where a file cannot be had.
    """
    fetched = []
    for file in files:
        fetched.append(_fetch(root, file, replace, endpoint))
        report(fetched[-1])
    return fetched


def _fetch(root: Path, file: WeightFile, replace: bool, endpoint: str | None) -> FetchedFile:
    existing = file.find(root)
    sources = file.hub
    if existing is not None:
        sources = tuple(source for source in file.hub if root / source.path == existing)
        if not sources:
            return FetchedFile(file, existing, "kept", verified=False)
    source, metadata = _first_on_hub(sources, endpoint)
    path = root / source.path
    if existing is not None:
        equal = _is_whole(existing, metadata)
        if equal or not replace:
            return FetchedFile(file, existing, "complete" if equal else "differs", verified=_has_checksum(metadata))
    _download(source, path, metadata, endpoint)
    return FetchedFile(file, path, "downloaded", verified=_has_checksum(metadata))


def _first_on_hub(sources: tuple[HubFile, ...], endpoint: str | None) -> tuple[HubFile, HfFileMetadata]:
    for source in sources:
        try:
            return source, get_hf_file_metadata(_url(source, endpoint), endpoint=endpoint)
        except EntryNotFoundError:
            continue
        except Exception as error:  # whichever HTTP library the hub's client uses has errors of its own
            raise ModelError(f"{source.repository}/{source.name} cannot be reached: {_first_line(error)}") from None
    raise ModelError(f"the hub has no {sources[0].repository}/{sources[0].name}")


def _download(source: HubFile, path: Path, metadata: HfFileMetadata, endpoint: str | None) -> None:
    """Download to `path` by way of a partial file that outlives this process."""
    # an ETag may hold anything, slashes too
    version = hashlib.sha256((metadata.etag or "").encode()).hexdigest()[:16]
    partial = path.with_name(f"{path.name}.{version}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    resumed = _append_rest(source, partial, metadata, endpoint)
    if not _is_whole(partial, metadata) and resumed:
        partial.unlink()  # the part from the earlier run was bad: once more, from the start
        _append_rest(source, partial, metadata, endpoint)
    if not _is_whole(partial, metadata):
        partial.unlink()
        raise ModelError(
            f"{source.repository}/{source.name} arrived with another checksum than the hub gives; try again"
        )
    os.replace(partial, path)


def _append_rest(source: HubFile, partial: Path, metadata: HfFileMetadata, endpoint: str | None) -> bool:
    """Download what `partial` lacks; True where it already held something."""
    if partial.is_file() and metadata.size is not None and partial.stat().st_size > metadata.size:
        partial.unlink()
    try:
        with partial.open("ab") as sink:
            already_bytes = sink.tell()
            http_get(
                _url(source, endpoint),
                sink,
                resume_size=already_bytes,
                headers=build_hf_headers(),
                expected_size=metadata.size,
                displayed_filename=source.path,
            )
    except Exception as error:  # as above
        raise ModelError(
            f"{source.repository}/{source.name} stopped after {partial.stat().st_size} bytes: {_first_line(error)};"
            " the same command goes on from there"
        ) from None
    return already_bytes > 0


def _is_whole(path: Path, metadata: HfFileMetadata) -> bool:
    """True where a file has the size and checksum that the hub gives: SHA-256 of large files, git's SHA-1 of others."""
    size_bytes = path.stat().st_size
    if metadata.size is not None and size_bytes != metadata.size:
        return False
    if not _has_checksum(metadata):
        return True
    large = len(metadata.etag) == 64
    digest = hashlib.sha256() if large else hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == metadata.etag


def _has_checksum(metadata: HfFileMetadata) -> bool:
    """False for mirrors whose ETag is something else than the content's hash."""
    etag = metadata.etag or ""
    return len(etag) in (40, 64) and all(digit in "0123456789abcdef" for digit in etag)


def _url(source: HubFile, endpoint: str | None) -> str:
    return hf_hub_url(source.repository, source.name, endpoint=endpoint)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
