# ruff: noqa: E402 - without torch this module is skipped
import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.interface import BaseFrame
from models.musetalk import picture_store
from models.musetalk.material import AvatarMaterial, FaceTools, make_material
from models.musetalk.picture_store import PictureStore, RowKey, RowSource, row_bytes, upload
from models.prepared_avatar import PreparedAvatar
from tests.models.musetalk.faces import photo_avatar

CPU = torch.device("cpu")
ROW_BYTES = row_bytes(torch.float32)
BASES = [BaseFrame("idle_0", index) for index in (0, 1, 2)]  # three of the four rows of the avatar


@pytest.fixture(scope="module")
def avatar(golden) -> PreparedAvatar:
    return photo_avatar(golden["frame_bgr"])


@pytest.fixture(scope="module")
def material(nets, avatar) -> AvatarMaterial:
    return make_material(avatar, nets, FaceTools())


@pytest.fixture
def wanted(avatar, material):
    """The entry of a batch for avatar number `number`'s row `row`."""

    def entry(number: int, row: int) -> tuple[RowKey, RowSource]:
        return RowKey(number, row), RowSource(avatar, material, BASES[row])

    return entry


def store_of(rows: int) -> PictureStore:
    return PictureStore(rows * ROW_BYTES, CPU, torch.float32)


def test_an_uploaded_row_is_picture_mask_and_latents(avatar, material) -> None:
    for base in BASES:
        row, resident = material.row(base), upload(RowSource(avatar, material, base), CPU, torch.float32)
        assert resident.size_bytes == ROW_BYTES
        np.testing.assert_array_equal(resident.picture.numpy(), avatar.videos[base.video].pictures[base.index])
        np.testing.assert_array_equal(resident.latents.numpy(), material.latents[row])
        area = material.masks[row].area
        cut = resident.mask[area.top : area.bottom, area.left : area.right]
        np.testing.assert_array_equal(cut.numpy(), material.masks[row].luma)
        assert int(resident.mask.sum()) == int(material.masks[row].luma.astype(int).sum())


def test_what_a_batch_needs_is_brought_once(wanted) -> None:
    store = store_of(3)
    first = store.of_batch([wanted(0, 0), wanted(0, 1), wanted(0, 0)])
    assert first[0] is first[2] is not first[1]
    assert store.of_batch([wanted(0, 1)]) == [first[1]]
    assert store.uploads == 2
    assert store.size_bytes == 2 * ROW_BYTES


def test_the_longest_unused_gives_way(wanted) -> None:
    store = store_of(2)
    store.of_batch([wanted(0, 0)])
    kept = store.of_batch([wanted(1, 0)])
    store.of_batch([wanted(0, 0)])
    store.of_batch([wanted(1, 0)])
    store.of_batch([wanted(0, 1)])  # drives out avatar 0's row 0
    assert store.uploads == 3
    assert store.of_batch([wanted(1, 0)]) == kept
    assert store.uploads == 3
    store.of_batch([wanted(0, 0)])
    assert store.uploads == 4
    assert store.size_bytes == 2 * ROW_BYTES


def test_what_the_batch_itself_uses_never_gives_way(wanted) -> None:
    store = store_of(2)
    rows = store.of_batch([wanted(0, 0), wanted(0, 1), wanted(0, 2)])
    assert [row is None for row in rows] == [False, False, True]
    again = store.of_batch([wanted(0, 2), wanted(0, 1), wanted(0, 0)])
    assert [row is None for row in again] == [True, False, False]
    assert again[1] is rows[1]


def test_without_a_budget_nothing_is_kept(avatar, material, wanted) -> None:
    store = store_of(0)
    store.upload_ahead(0, avatar, material)
    assert store.of_batch([wanted(0, 0)]) == [None]
    assert store.size_bytes == store.uploads == 0


def test_rows_come_ahead_only_into_free_room(avatar, material, wanted) -> None:
    store = store_of(5)
    store.upload_ahead(0, avatar, material)
    store.upload_ahead(1, avatar, material)  # one of its four fits
    assert store.size_bytes == 5 * ROW_BYTES
    assert None not in store.of_batch([wanted(0, 0), wanted(0, 1), wanted(0, 2), wanted(1, 0)])
    assert store.uploads == 0
    store.upload_ahead(0, avatar, material)  # again is free
    assert store.size_bytes == 5 * ROW_BYTES


def test_a_removed_avatar_gives_its_memory_back_and_no_other(avatar, material, wanted) -> None:
    store = store_of(8)
    store.upload_ahead(0, avatar, material)
    store.upload_ahead(1, avatar, material)
    store.remove(0)
    store.remove(0)
    assert store.size_bytes == 4 * ROW_BYTES
    store.of_batch([wanted(1, 0)])
    assert store.uploads == 0


def test_a_smaller_budget_takes_the_longest_unused_and_none_comes_back(avatar, material, wanted) -> None:
    store = store_of(4)
    store.of_batch([wanted(0, 0), wanted(0, 1), wanted(0, 2)])
    kept = store.of_batch([wanted(0, 0)])
    store.shrink(store.size_bytes // 2)
    assert store.size_bytes == ROW_BYTES
    assert store.of_batch([wanted(0, 0)]) == kept
    store.shrink(100 * ROW_BYTES)  # no growth
    store.upload_ahead(1, avatar, material)
    assert store.of_batch([wanted(0, 0), wanted(0, 1)])[1] is None
    assert store.size_bytes == ROW_BYTES
    store.shrink(store.size_bytes // 2)
    assert store.size_bytes == 0


def test_less_memory_than_was_measured_lowers_the_budget(monkeypatch, avatar, material, wanted) -> None:
    store = store_of(3)
    store.of_batch([wanted(0, 0)])

    def no_room(*_):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(picture_store, "upload", no_room)
    store.upload_ahead(1, avatar, material)
    assert [row is None for row in store.of_batch([wanted(0, 0), wanted(0, 1)])] == [False, True]
    assert store.budget_bytes == ROW_BYTES
    monkeypatch.undo()
    assert store.of_batch([wanted(0, 1)]) != [None]  # in the place of the other
    assert store.size_bytes == ROW_BYTES


def test_loading_beside_the_batches_never_goes_over_the_budget(avatar, material, wanted) -> None:
    store = store_of(4)
    loaders = [threading.Thread(target=store.upload_ahead, args=(number, avatar, material)) for number in (1, 2, 3)]
    for thread in loaders:
        thread.start()
    for turn in range(30):
        store.of_batch([wanted(0, turn % 3)])
        assert store.size_bytes <= 4 * ROW_BYTES
    for thread in loaders:
        thread.join()
    assert store.size_bytes == 4 * ROW_BYTES
