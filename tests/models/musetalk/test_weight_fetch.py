import random
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from models.errors import ModelError
from models.musetalk.weight_fetch import fetch_weights
from models.musetalk.weight_files import UNET, UNET_CONFIG, VAE, WEIGHT_FILES, missing_files
from tests.models.musetalk.loopback_hub import Hub, running_hub

UNET_NAME = "TMElyralab/MuseTalk/musetalkV15/unet.pth"
CHUNK_BYTES = 4096


def hub_files() -> dict[str, bytes]:
    draw = random.Random(1)
    names = [f"{source.repository}/{source.name}" for file in WEIGHT_FILES for source in file.hub]
    return {name: draw.randbytes(300 if name.endswith(".json") else 100_000) for name in names}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(
        "huggingface_hub.file_download.time.sleep", lambda _: None
    )  # the client's pause before it retries
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
    with running_hub(hub_files()) as running:
        yield running


def files_in(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def partial_file(root: Path) -> Path:
    (path,) = root.rglob("*.part")
    return path


def test_an_empty_folder_is_filled_and_checked_and_holds_nothing_else(hub: Hub, tmp_path: Path) -> None:
    root, reported = tmp_path / "weights", []
    fetched = fetch_weights(root, endpoint=hub.endpoint, report=reported.append)
    assert reported == fetched
    assert [(each.file, each.outcome, each.verified) for each in fetched] == [
        (file, "downloaded", True) for file in WEIGHT_FILES if not file.on_request
    ]
    first = [file.hub[0] for file in WEIGHT_FILES if not file.on_request]
    assert files_in(root) == {source.path: hub.files[f"{source.repository}/{source.name}"] for source in first}
    assert missing_files(root) == []


def test_a_second_run_downloads_nothing(hub: Hub, tmp_path: Path) -> None:
    fetch_weights(tmp_path, endpoint=hub.endpoint)
    hub.bodies.clear()
    again = fetch_weights(tmp_path, endpoint=hub.endpoint)
    assert {each.outcome for each in again} == {"complete"}
    assert hub.bodies == []


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.break_off_after = 10 * CHUNK_BYTES + 5
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert fetched.path.read_bytes() == hub.files[UNET_NAME]
    assert hub.bodies == [(UNET_NAME, None), (UNET_NAME, f"bytes={10 * CHUNK_BYTES}-")]


def test_a_run_that_failed_is_taken_up_by_the_next(hub: Hub, tmp_path: Path) -> None:
    hub.break_off_after, hub.fail_then = 10 * CHUNK_BYTES, True
    with pytest.raises(ModelError, match=rf"unet\.pth stopped after {10 * CHUNK_BYTES} bytes: .*goes on from there"):
        fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert UNET.find(tmp_path) is None
    assert partial_file(tmp_path).stat().st_size == 10 * CHUNK_BYTES

    hub.down = False
    hub.bodies.clear()
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert hub.bodies == [(UNET_NAME, f"bytes={10 * CHUNK_BYTES}-")]
    assert fetched.path.read_bytes() == hub.files[UNET_NAME]
    assert list(tmp_path.rglob("*.part")) == []


def test_a_hub_that_ignores_ranges_sends_it_all_again(hub: Hub, tmp_path: Path) -> None:
    hub.break_off_after, hub.ranges = 10 * CHUNK_BYTES, False
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert fetched.path.read_bytes() == hub.files[UNET_NAME]


@pytest.mark.parametrize("n_bytes", [50_000, 100_000, 200_000])
def test_a_part_that_was_spoilt_is_thrown_away_and_the_file_fetched_anew(
    hub: Hub, tmp_path: Path, n_bytes: int
) -> None:
    hub.break_off_after, hub.fail_then = 50_000, True
    with pytest.raises(ModelError):
        fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    partial_file(tmp_path).write_bytes(b"?" * n_bytes)
    hub.down = False
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert fetched.path.read_bytes() == hub.files[UNET_NAME]
    assert list(tmp_path.rglob("*.part")) == []


@pytest.mark.parametrize("file", [UNET, UNET_CONFIG])
def test_a_wrong_checksum_leaves_nothing_behind(hub: Hub, tmp_path: Path, file: object) -> None:
    hub.spoil = True
    with pytest.raises(ModelError, match=r"musetalkV15/.* arrived with another checksum than the hub gives"):
        fetch_weights(tmp_path, files=(file,), endpoint=hub.endpoint)
    assert files_in(tmp_path) == {}


def test_a_new_version_on_the_hub_does_not_go_on_from_a_part_of_the_old(hub: Hub, tmp_path: Path) -> None:
    hub.break_off_after, hub.fail_then = 50_000, True
    with pytest.raises(ModelError):
        fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    hub.files[UNET_NAME] = random.Random(2).randbytes(90_000)
    hub.down = False
    hub.bodies.clear()
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert hub.bodies == [(UNET_NAME, None)]
    assert fetched.path.read_bytes() == hub.files[UNET_NAME]


def test_what_the_hub_has_as_pickle_only_is_fetched_as_such(hub: Hub, tmp_path: Path) -> None:
    del hub.files["stabilityai/sd-vae-ft-mse/diffusion_pytorch_model.safetensors"]
    (fetched,) = fetch_weights(tmp_path, files=(VAE,), endpoint=hub.endpoint)
    assert fetched.path == tmp_path / "sd-vae/diffusion_pytorch_model.bin"


def test_a_pickle_that_is_there_is_not_fetched_again_as_safetensors(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "sd-vae/diffusion_pytorch_model.bin"
    path.parent.mkdir()
    path.write_bytes(hub.files["stabilityai/sd-vae-ft-mse/diffusion_pytorch_model.bin"])
    (fetched,) = fetch_weights(tmp_path, files=(VAE,), endpoint=hub.endpoint)
    assert (fetched.path, fetched.outcome, fetched.verified) == (path, "complete", True)
    assert hub.bodies == []


def test_somebodys_own_file_stays_unless_it_is_to_be_replaced(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "musetalkV15/unet.pth"
    path.parent.mkdir()
    path.write_bytes(b"fine-tuned")
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)
    assert (fetched.outcome, path.read_bytes()) == ("differs", b"fine-tuned")
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint, replace=True)
    assert (fetched.outcome, path.read_bytes()) == ("downloaded", hub.files[UNET_NAME])


def test_a_converted_file_that_the_hub_does_not_have_stays(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "musetalkV15/unet.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"converted")
    (fetched,) = fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint, replace=True)
    assert (fetched.outcome, fetched.verified) == ("kept", False)
    assert hub.bodies == []


def test_a_mirror_without_checksums_is_used_and_not_called_verified(hub: Hub, tmp_path: Path) -> None:
    hub.content_hashes = False
    fetched = fetch_weights(tmp_path, files=(UNET, UNET_CONFIG), endpoint=hub.endpoint)
    assert [(each.outcome, each.verified) for each in fetched] == [("downloaded", False)] * 2


def test_a_hub_without_the_file_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.files.clear()
    with pytest.raises(ModelError, match=r"^the hub has no TMElyralab/MuseTalk/musetalkV15/unet\.pth$"):
        fetch_weights(tmp_path, files=(UNET,), endpoint=hub.endpoint)


def test_a_hub_that_is_down_or_not_there_is_one_sentence(hub: Hub, tmp_path: Path) -> None:
    hub.down = True
    for endpoint in (hub.endpoint, "http://127.0.0.1:1"):
        with pytest.raises(ModelError, match=r"^TMElyralab/MuseTalk/musetalkV15/unet\.pth cannot be reached: [^\n]+$"):
            fetch_weights(tmp_path, files=(UNET,), endpoint=endpoint)
    assert files_in(tmp_path) == {}
