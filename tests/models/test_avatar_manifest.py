"""The manifest: whatever is wrong with it or with the files it names is one sentence that names the file."""

import json
import random
from pathlib import Path

import pytest

from models.avatar_manifest import check_contents, check_sizes, checksum, read_manifest, write_manifest
from models.errors import AvatarError

VIDEOS = {"idle_0": 25, "speaking_0": 50}
NAMES = [f"{video}.{kind}.npy" for video in VIDEOS for kind in ("pictures", "landmarks")]
MUTATIONS = 100


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder as the manifest sees it; nobody looks into its files here."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in [*NAMES, "material.npz"]:
        (folder / name).write_text(f"the content of {name}")
    write_manifest(folder, "anna", same_pose=True, videos=VIDEOS)
    return folder


def _edit_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def _check(folder: Path) -> None:
    manifest = read_manifest(folder)
    check_sizes(folder, manifest)
    for pictures in (False, True):
        check_contents(folder, manifest, pictures=pictures)


def _what_is_wrong(folder: Path) -> str:
    try:
        _check(folder)
    except AvatarError as error:
        return str(error)
    return ""


def test_what_was_written_is_read_and_fits(copy):
    manifest = read_manifest(copy)
    assert (manifest.name, manifest.same_pose, manifest.videos) == ("anna", True, VIDEOS)
    assert set(manifest.files) == {*NAMES, "material.npz"}
    assert manifest.size_bytes == sum((copy / name).stat().st_size for name in manifest.files)
    _check(copy)


def test_files_of_others_are_described_too_and_files_that_came_later_are_none_of_it(copy):
    (copy / "report.html").write_text("how it went")
    write_manifest(copy, "anna", same_pose=True, videos=VIDEOS)
    assert "report.html" in read_manifest(copy).files
    (copy / "musetalk.npz").write_text("an engine's own")
    _check(copy)


def test_the_checksum_is_crc_32(copy):
    (copy / "check").write_bytes(b"123456789")
    assert checksum(copy / "check") == "cbf43926"


@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_a_mutated_folder_is_named_or_as_it_was(copy, seed):
    rng = random.Random(seed)
    path = rng.choice(sorted(copy.iterdir()))
    content = bytearray(path.read_bytes())
    way = rng.randrange(4)
    if way == 0:
        path.unlink()
    elif way == 1:
        path.write_bytes(content[: rng.randrange(len(content))])
    elif way == 2:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
    else:
        at = rng.randrange(len(content))
        path.write_bytes(content[:at] + rng.randbytes(rng.randrange(1, 40)) + content[at:])
    sentence = _what_is_wrong(copy)
    # unseen stays one letter of the avatar's name, which the folder's name stands above, or of the layout
    assert sentence.startswith(str(copy)) or (not sentence and path.name == "manifest.json")
    assert len(sentence) < 400


def test_another_version_asks_for_a_new_preparation(copy):
    _edit_manifest(copy, version=99)
    with pytest.raises(AvatarError, match=r"version 99, not 2; prepare the avatar again"):
        read_manifest(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 3},
        {"same_pose": "yes"},
        {"videos": []},
        {"videos": {"idle_0": 25}},
        {"videos": {"../../etc/passwd": 25}},
        {"videos": {"idle_0": "25"}},
        {"videos": {"idle_0": 0}},
        {"videos": {"idle_0": True, "speaking_0": 25}},
        {"videos": {"idle_0": 25 * 10**9, "speaking_0": 25}},
        {"videos": {"idle_٣": 25}},
        {"files": {}},
        {"files": {"material.npz": 3}},
        {"files": {"material.npz": {"bytes": "3", "crc32": "00000000"}}},
        {"files": {"../secret": {"bytes": 3, "crc32": "00000000"}}},
        {"files": {".hidden": {"bytes": 3, "crc32": "00000000"}}},
    ],
)
def test_a_manifest_that_makes_no_sense_is_named(copy, changes):
    _edit_manifest(copy, **changes)
    with pytest.raises(AvatarError, match=r"manifest\.json"):
        read_manifest(copy)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "{", "\x00\xff", "[" * 100_000, " " * (1 << 20) + "{}"])
def test_a_manifest_that_is_none_is_named(copy, text):
    (copy / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(AvatarError, match=r"manifest\.json"):
        read_manifest(copy)
