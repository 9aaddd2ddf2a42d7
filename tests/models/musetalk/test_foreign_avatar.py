# ruff: noqa: E402 - without torch this module is skipped
"""A folder of MuseTalk's is unfolded to its own frames; whatever is wrong with it is a sentence that names the file."""

import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError
from models.musetalk.foreign_avatar import read_foreign_avatar, read_picture
from tests.models.musetalk.foreign_folder import write_foreign_folder

FRAMES = 3


@pytest.fixture(scope="module")
def made(golden, tmp_path_factory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("foreign") / "anna"
    return folder, write_foreign_folder(folder, golden["frame_bgr"], frames=FRAMES)


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "anna"))


def test_lists_that_run_forward_and_back_are_unfolded(made):
    found = read_foreign_avatar(made[0])
    assert [frame.picture.name for frame in found.frames] == ["00000000.png", "00000001.png", "00000002.png"]
    assert [frame.mask.name for frame in found.frames] == [frame.picture.name for frame in found.frames]
    assert [frame.box.left - found.frames[0].box.left for frame in found.frames] == [0, 2, 4]
    np.testing.assert_array_equal(found.latents, made[1])


@pytest.mark.parametrize("numpy", [True, False])
def test_lists_that_only_run_forward_stay_as_they_are(golden, tmp_path, numpy):
    latents = write_foreign_folder(tmp_path / "ben", golden["frame_bgr"], frames=4, there_and_back=False, numpy=numpy)
    found = read_foreign_avatar(tmp_path / "ben")
    assert len(found.frames) == 4
    np.testing.assert_array_equal(found.latents, latents)


def test_a_head_that_never_moves_is_not_taken_for_one_that_comes_back(folder):
    boxes = pickle.loads((folder / "coords.pkl").read_bytes())
    crops = pickle.loads((folder / "mask_coords.pkl").read_bytes())
    (folder / "coords.pkl").write_bytes(pickle.dumps([boxes[0]] * len(boxes)))
    (folder / "mask_coords.pkl").write_bytes(pickle.dumps([crops[0]] * len(crops)))
    assert len(read_foreign_avatar(folder).frames) == FRAMES
    shutil.copy(folder / "full_imgs" / "00000001.png", folder / "full_imgs" / "00000005.png")
    assert len(read_foreign_avatar(folder).frames) == 2 * FRAMES


def test_a_frame_without_a_face_is_left_out_and_the_others_keep_their_latents(made, folder):
    boxes = pickle.loads((folder / "coords.pkl").read_bytes())
    rows = torch.load(folder / "latents.pt", weights_only=True)
    for number in (1, 4):  # the same frame, on the way back
        boxes[number] = (0.0, 0.0, 0.0, 0.0)
    (folder / "coords.pkl").write_bytes(pickle.dumps(boxes))
    torch.save([row for number, row in enumerate(rows) if number not in (1, 4)], folder / "latents.pt")
    found = read_foreign_avatar(folder)
    assert [frame.picture.name for frame in found.frames] == ["00000000.png", "00000002.png"]
    np.testing.assert_array_equal(found.latents, made[1][[0, 2]])


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.witness),))


@pytest.mark.parametrize("name", ["coords.pkl", "mask_coords.pkl", "latents.pt"])
def test_a_hostile_pickle_is_refused_and_has_done_nothing(folder, tmp_path, name):
    witness = tmp_path / "was_here"
    contents = [pickle.dumps(Attack(witness)), pickle.dumps([Attack(witness)])]
    torch.save([Attack(witness)], tmp_path / "hostile.pt")
    contents.append((tmp_path / "hostile.pt").read_bytes())
    for content in contents:
        (folder / name).write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}: is (refused|no pickle)"):
            read_foreign_avatar(folder)
    assert not witness.exists()


def _shorter(folder: Path) -> None:
    (folder / "coords.pkl").write_bytes(pickle.dumps([(1, 2, 3, 4)]))


def _faceless(folder: Path) -> None:
    (folder / "coords.pkl").write_bytes(pickle.dumps([(0, 0, 0, 0)] * 2 * FRAMES))


def _few_latents(folder: Path) -> None:
    torch.save([torch.zeros(1, 8, 32, 32)], folder / "latents.pt")


def _one_latents_a_million_times(folder: Path) -> None:
    torch.save([torch.zeros(1, 8, 32, 32)] * 1_000_000, folder / "latents.pt")


def _odd_latents(folder: Path) -> None:
    torch.save([torch.zeros(1, 4, 32, 32)] * 2 * FRAMES, folder / "latents.pt")


def _endless_latents(folder: Path) -> None:
    torch.save([torch.full((1, 8, 32, 32), torch.inf)] * 2 * FRAMES, folder / "latents.pt")


def _swelling_latents(folder: Path) -> None:
    torch.save([torch.zeros(1, 8, 32, 32)] * 2 * FRAMES, folder / "plain.pt")
    with (
        zipfile.ZipFile(folder / "plain.pt") as plain,
        zipfile.ZipFile(folder / "latents.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))


@pytest.mark.parametrize(
    "odd",
    [
        lambda plain: plain.to_sparse(),
        lambda plain: plain.to("meta"),
        lambda plain: torch.quantize_per_tensor(plain, 0.1, 0, torch.quint8),
        lambda plain: plain.to(torch.complex64),
        lambda plain: plain.int(),
        lambda plain: plain > 0,
    ],
    ids=["sparse", "without content", "quantized", "complex", "integers", "truth values"],
)
@pytest.mark.filterwarnings("ignore")  # of torch: quantized and sparse tensors are about to change
def test_tensors_of_an_unusual_kind_are_refused_by_name(folder, odd):
    plain = torch.zeros(1, 8, 32, 32)
    torch.save([plain, odd(plain)] * FRAMES, folder / "latents.pt")
    with pytest.raises(ModelError, match=r"latents\.pt: (entry 1 is no latents|is refused)"):
        read_foreign_avatar(folder)


@pytest.mark.parametrize("odd", [lambda plain: plain.requires_grad_(), torch.nn.Parameter, torch.Tensor.bfloat16])
def test_latents_as_a_training_leaves_them_are_read(made, folder, odd):
    rows = torch.load(folder / "latents.pt", weights_only=True)
    torch.save([odd(row) for row in rows], folder / "latents.pt")
    np.testing.assert_allclose(read_foreign_avatar(folder).latents, made[1], rtol=1e-2)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: shutil.rmtree(folder), "no such folder"),
        (lambda folder: shutil.rmtree(folder / "full_imgs"), "full_imgs: cannot be read"),
        (lambda folder: [file.unlink() for file in (folder / "mask").iterdir()], "mask: has no pictures"),
        (lambda folder: (folder / "mask" / "00000000.png").unlink(), "coords.pkl has 6 entries, and mask has 5"),
        (lambda folder: (folder / "coords.pkl").unlink(), "coords.pkl: cannot be read"),
        (lambda folder: (folder / "latents.pt").unlink(), "latents.pt: cannot be read"),
        (lambda folder: (folder / "latents.pt").write_bytes(b"PK"), "latents.pt: is refused"),
        (_shorter, "full_imgs has 6 entries, and coords.pkl has 1"),
        (_faceless, "no frame has a face"),
        (_few_latents, "latents.pt: has 1 entries for 6 frames"),
        (_one_latents_a_million_times, "latents.pt: has 1000000 entries for 6 frames"),
        (_odd_latents, "latents.pt: entry 0 is no latents"),
        (_swelling_latents, "latents.pt: is compressed"),
        (_endless_latents, "latents.pt: has values that are no numbers"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(folder, spoil: Callable[[Path], object], sentence: str):
    spoil(folder)
    with pytest.raises(ModelError, match=sentence):
        read_foreign_avatar(folder)


@pytest.mark.parametrize("grey", [True, False])
def test_a_picture_that_says_it_is_gigantic_is_named(tmp_path, grey):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = b""
    for part in (header, b"IDAT" + zlib.compress(bytes(100)), b"IEND"):
        chunks += struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
    path = tmp_path / "mask" / "00000001.png"
    path.parent.mkdir()
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    with pytest.raises(ModelError, match=r"mask/00000001\.png: is damaged, or too large to be read"):
        read_picture(path, grey=grey)
