import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.avatar_manifest import checksum
from models.errors import AvatarError
from models.prepared_avatar import AvatarWriter, BaseVideo, PreparedAvatar, check_pictures, load_avatar, save_avatar

FILES = ("manifest.json", "idle_0.pictures.npy", "idle_0.landmarks.npy", "action_1.pictures.npy", "material.npz")


ROOT = Path(__file__).parents[2]
ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from models.avatar_manifest import checksum
from models.errors import AvatarError
from models.prepared_avatar import AvatarWriter
try:
    with AvatarWriter(Path(sys.argv[1]) / "anna") as writer:
        for name in ("idle_0", "speaking_0"):
            writer.new_video(name, 25).pictures[:] = 1
except AvatarError as error:
    print(error)
print(list(Path(sys.argv[1]).iterdir()))
"""


def _avatar(name: str = "anna", shade: int = 0) -> PreparedAvatar:
    rng = np.random.default_rng(3)
    videos = {}
    for video in ("idle_0", "speaking_0", "action_1"):
        pictures = np.full((25, 768, 512), shade, np.uint8)
        pictures[:, 0, :25] = np.arange(25)[:, None]
        videos[video] = BaseVideo(video, pictures, rng.uniform(0, 512, (25, 468, 2)).astype(np.float32))
    return PreparedAvatar(
        name, videos, True, {"teeth": np.arange(12, dtype=np.uint8).reshape(3, 4), "edge": np.ones(2)}
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("avatars") / "anna"
    save_avatar(_avatar(), folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "anna"))


def _accept(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed, so that the next check is reached."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": (folder / name).stat().st_size, "crc32": checksum(folder / name)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 16
    path.write_bytes(content)


def test_what_was_saved_is_loaded(saved):
    avatar, original = load_avatar(saved), _avatar()
    assert (avatar.name, avatar.same_pose, list(avatar.videos)) == ("anna", True, list(original.videos))
    for name, video in original.videos.items():
        assert np.array_equal(avatar.videos[name].pictures, video.pictures)
        assert np.array_equal(avatar.videos[name].landmarks, video.landmarks)
        assert avatar.videos[name].name == name
    assert set(avatar.material) == {"teeth", "edge"}
    assert np.array_equal(avatar.material["teeth"], original.material["teeth"])


@pytest.mark.parametrize("name", ["idle_0.landmarks.npy", "material.npz"])
def test_a_changed_byte_is_named_when_it_is_read(copy, name):
    _change_a_byte(copy / name)
    with pytest.raises(AvatarError, match=rf"{name}: is damaged \(its checksum"):
        load_avatar(copy)


def test_a_changed_picture_is_found_when_its_pictures_are_checked(copy):
    check_pictures(copy)
    _change_a_byte(copy / "action_1.pictures.npy")
    load_avatar(copy)
    with pytest.raises(AvatarError, match=r"action_1\.pictures\.npy: is damaged \(its checksum"):
        check_pictures(copy)


def test_each_reading_is_an_avatar_of_its_own_with_the_revision_of_what_was_read(copy):
    first, again = load_avatar(copy), load_avatar(copy)
    assert first != again
    assert first.revision == again.revision != ""
    save_avatar(_avatar(shade=9), copy, replace=True)
    assert load_avatar(copy).revision != first.revision


def test_pictures_are_mapped_and_cannot_be_written(saved):
    pictures = load_avatar(saved).videos["idle_0"].pictures
    assert type(pictures) is np.ndarray
    assert isinstance(pictures.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pictures[0, 0, 0] = 1


def test_nothing_but_the_avatar_is_left_in_the_folder_above(saved):
    assert [entry.name for entry in saved.parent.iterdir()] == ["anna"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(AvatarError, match=name.replace(".", r"\.")):
        load_avatar(copy)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_truncated_file_is_named(copy, name, share):
    size = (copy / name).stat().st_size
    os.truncate(copy / name, int(size * share))
    with pytest.raises(AvatarError, match=name.replace(".", r"\.")):
        load_avatar(copy)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_truncated_file_is_named_even_when_the_manifest_knows_no_better(copy, name):
    os.truncate(copy / name, (copy / name).stat().st_size // 2)
    _accept(copy, name)
    with pytest.raises(AvatarError, match=name.replace(".", r"\.")):
        load_avatar(copy)


@pytest.mark.parametrize("name", FILES[1:4])
def test_a_pickle_is_refused_and_never_run(copy, name, tmp_path):
    witness = tmp_path / "was_here"

    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(witness),))

    for content in (pickle.dumps(Attack()), None):
        if content is None:
            np.save(copy / name, np.array([Attack()], dtype=object), allow_pickle=True)
        else:
            (copy / name).write_bytes(content)
        _accept(copy, name)
        with pytest.raises(AvatarError, match=name.replace(".", r"\.")):
            load_avatar(copy)
    assert not witness.exists()


def test_a_pickle_in_the_material_is_refused(copy):
    np.savez(copy / "material.npz", teeth=np.array([{"a": 1}], dtype=object))
    _accept(copy, "material.npz")
    with pytest.raises(AvatarError, match=r"material\.npz"):
        load_avatar(copy)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("idle_0.pictures.npy", np.zeros((25, 768, 512), np.int16)),
        ("idle_0.pictures.npy", np.zeros((24, 768, 512), np.uint8)),
        ("idle_0.landmarks.npy", np.zeros((25, 478, 2), np.float32)),
        ("idle_0.landmarks.npy", np.full((25, 468, 2), np.nan, np.float32)),
        ("idle_0.landmarks.npy", np.full((25, 468, 2), 5000, np.float32)),
    ],
)
def test_an_array_of_another_kind_is_named(copy, name, array):
    np.save(copy / name, array)
    _accept(copy, name)
    with pytest.raises(AvatarError, match=name.replace(".", r"\.")):
        load_avatar(copy)


@pytest.mark.parametrize("byte", [b"8", b"#", b"\xff", b"'", b"\0"])
def test_a_byte_of_the_pictures_header_is_named_before_any_checksum_is_compared(copy, byte):
    with (copy / "idle_0.pictures.npy").open("r+b") as file:
        file.seek(60)
        file.write(byte)
    with pytest.raises(AvatarError, match=r"idle_0\.pictures\.npy: is damaged"):
        load_avatar(copy)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_material_that_holds_no_numbers_is_named(copy, value):
    np.savez(copy / "material.npz", teeth=np.zeros(3, np.uint8), edge=np.array([1, value], np.float32))
    _accept(copy, "material.npz")
    with pytest.raises(AvatarError, match=r"material\.npz: is damaged \(edge holds"):
        load_avatar(copy)


def test_material_that_would_swell_is_named(copy):
    np.savez_compressed(copy / "material.npz", teeth=np.zeros(1 << 20, np.uint8))
    _accept(copy, "material.npz")
    with pytest.raises(AvatarError, match=r"material\.npz: is damaged \(compressed\)"):
        load_avatar(copy)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(AvatarError, match=r"nobody.manifest\.json: cannot be read"):
        load_avatar(tmp_path / "nobody")


def test_an_avatar_that_is_there_stays_unless_told(copy):
    with pytest.raises(AvatarError, match="exists already"):
        save_avatar(_avatar("ben"), copy)
    assert load_avatar(copy).name == "anna"
    mapped = load_avatar(copy).videos["idle_0"].pictures
    save_avatar(_avatar("ben", shade=9), copy, replace=True)
    assert load_avatar(copy).name == "ben"
    assert mapped[0, 5, 5] == 0  # who still shows the old one keeps it
    assert [entry.name for entry in copy.parent.iterdir()] == ["anna"]


def test_a_writer_that_fails_leaves_what_was_there(copy):
    def fail_halfway() -> None:
        with AvatarWriter(copy, replace=True) as writer:
            writer.new_video("idle_0", 25)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert load_avatar(copy).name == "anna"
    assert [entry.name for entry in copy.parent.iterdir()] == ["anna"]


def test_two_who_write_the_same_avatar_do_not_mix(tmp_path):
    folder = tmp_path / "twin"
    with AvatarWriter(folder) as first, AvatarWriter(folder) as second:
        for writer, shade in ((first, 1), (second, 2)):
            for name in ("idle_0", "speaking_0"):
                writer.new_video(name, 25).pictures[:] = shade
        second.publish("second", same_pose=False, material={})
        with pytest.raises(AvatarError, match="exists already"):
            first.publish("first", same_pose=False, material={})
    avatar = load_avatar(folder)
    assert avatar.name == "second"
    assert np.all(avatar.videos["idle_0"].pictures == 2)


def test_a_video_may_share_the_frames_of_another(tmp_path):
    with AvatarWriter(tmp_path / "ben") as writer:
        idle = writer.new_video("idle_0", 25)
        idle.pictures[:], idle.landmarks[:] = 7, 3
        writer.same_video("speaking_0", idle)
        writer.publish("ben", same_pose=True, material={})
    avatar = load_avatar(tmp_path / "ben")
    speaking = avatar.videos["speaking_0"]
    assert np.all(speaking.pictures == 7)
    assert np.all(speaking.landmarks == 3)
    assert speaking.pictures is avatar.videos["idle_0"].pictures, "mapped once"
    assert avatar.size_bytes == speaking.pictures.nbytes + 2 * speaking.landmarks.nbytes


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AvatarError, match="cannot be written"):
        AvatarWriter(tmp_path / "file" / "anna")


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    own_disk = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=15m none {tmp_path}"
    if not shutil.which("unshare") or subprocess.run([*own_disk, mount], check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    command = [*own_disk, f'{mount} && exec "$@"', "sh", sys.executable, "-c", ON_A_SMALL_DISK, tmp_path]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path}/anna: cannot be written (No space left on device).\n[]\n"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS cannot reserve space")
def test_a_new_video_has_its_room_on_the_disk(tmp_path):
    with AvatarWriter(tmp_path / "x") as writer:
        writer.new_video("idle_0", 25)
        (folder,) = tmp_path.iterdir()
        for file in folder.iterdir():
            assert file.stat().st_blocks * 512 >= file.stat().st_size


def test_a_new_writer_removes_what_a_killed_one_left(tmp_path):
    left = tmp_path / ".x.0123abcd.unfinished"
    left.mkdir()
    (left / "idle_0.pictures.npy").write_bytes(b"half")
    with AvatarWriter(tmp_path / "x"):
        assert not left.exists()


@pytest.mark.parametrize(("name", "length"), [("idle_0", 24), ("idle_0", 0), ("../x", 25), ("smile_1", 25)])
def test_a_writer_takes_only_videos_that_can_be_loaded(tmp_path, name, length):
    with AvatarWriter(tmp_path / "x") as writer, pytest.raises(ValueError, match=r".+"):
        writer.new_video(name, length)


def test_an_avatar_without_its_loops_is_not_published(tmp_path):
    with AvatarWriter(tmp_path / "x") as writer:
        writer.new_video("idle_0", 25)
        with pytest.raises(ValueError, match="needs speaking_0"):
            writer.publish("x", same_pose=True, material={})
    assert not (tmp_path / "x").exists()


def test_only_plain_arrays_are_saved_as_material(tmp_path):
    with AvatarWriter(tmp_path / "x") as writer:
        for name in ("idle_0", "speaking_0"):
            writer.new_video(name, 25)
        with pytest.raises(ValueError, match="only plain arrays"):
            writer.publish("x", same_pose=True, material={"odd": np.array([None])})
