import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ws_service.cli import app, main
from ws_service.errors import StartError

runner = CliRunner()


def test_the_commands_are_part_of_the_program() -> None:
    result = runner.invoke(app, ["weights", "--help"])
    assert "check" in result.output
    assert "fetch" in result.output


@pytest.mark.parametrize("command", ["check", "fetch"])
def test_without_the_extra_the_sentence_says_how_to_install_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("torch", "huggingface_hub", "models.musetalk.weight_check", "models.musetalk.weight_fetch"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    monkeypatch.setattr(sys, "argv", ["musetalk", "weights", command, "--path", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "pip install 'musetalk-stream[musetalk]'" in capsys.readouterr().err


def test_an_empty_folder_is_shown_with_what_each_missing_file_costs(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    result = runner.invoke(app, ["weights", "check", "--path", str(tmp_path)], terminal_width=200)
    assert result.exit_code == 1
    text = " ".join(result.output.split())
    assert "musetalkV15/unet.pth" in text
    assert "Without musetalkV15/unet.pth: MuseTalk cannot run." in text
    assert "Without face-parse-bisent/79999_iter.pth: jaw masks come from landmarks" in text
    assert text.endswith("MuseTalk cannot run with this folder.")


def test_a_whole_folder_is_shown_with_its_keys_and_the_folder_of_the_settings_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from tests.models.musetalk.tiny_checkpoint import write_checkpoint

    write_checkpoint(tmp_path)
    monkeypatch.setenv("MODEL_PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # no .env of the developer's
    result = runner.invoke(app, ["weights", "check"])
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert "all 208 match" in text
    assert "19.6 MB" in text
    assert text.endswith("MuseTalk can run with this folder.")

    shutil.copy(tmp_path / "whisper/config.json", tmp_path / "musetalkV15/unet.pth")
    result = runner.invoke(app, ["weights", "check"])
    assert result.exit_code == 1
    assert "unet.pth is damaged" in " ".join(result.output.split())


def test_at_80_columns_no_name_is_cut_and_the_purposes_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from models.musetalk.weight_files import VAE, WEIGHT_FILES

    monkeypatch.setenv("COLUMNS", "80")
    for file in WEIGHT_FILES:
        path = tmp_path / file.paths[0]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"{}" if path.suffix == ".json" else b"no weights")
    output = runner.invoke(app, ["weights", "check", "--path", str(tmp_path)]).output
    rows = [line for line in output.splitlines() if line.startswith("│")]
    assert {len(row) for row in rows} <= set(range(81))
    assert any(VAE.paths[0] in row and "wrong, see below" in row for row in rows)
    first_column = " ".join(" ".join(row.split("│")[1] for row in rows).split())
    for file in WEIGHT_FILES:
        assert f"{file.paths[0]} {file.purpose}" in first_column


def test_one_wrong_configuration_is_told_once(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    from tests.models.musetalk.tiny_checkpoint import write_checkpoint

    write_checkpoint(tmp_path)
    config = tmp_path / "sd-vae/config.json"
    config.write_text(config.read_text().replace('"norm_num_groups": 32', '"norm_num_groups": 0'))
    result = runner.invoke(app, ["weights", "check", "--path", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.count("config.json: norm_num_groups is 0, where a network has whole numbers above 0.") == 1


def test_fetching_says_what_became_of_every_file(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    from models.musetalk.weight_files import WEIGHT_FILES
    from tests.models.musetalk.loopback_hub import running_hub

    files = {f"{source.repository}/{source.name}": b"x" * 2000 for file in WEIGHT_FILES for source in file.hub}
    own = tmp_path / "musetalkV15/unet.pth"
    own.parent.mkdir()
    own.write_bytes(b"own")
    with running_hub(files) as hub:
        result = runner.invoke(
            app, ["weights", "fetch", "--needed-only", "--path", str(tmp_path), "--endpoint", hub.endpoint]
        )
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if line.startswith(str(tmp_path))]
    assert len(lines) == sum(file.needed for file in WEIGHT_FILES)
    assert f"{tmp_path}/whisper/config.json: downloaded, checksum matches" in lines
    assert f"{own}: differs from the hub's, left as it is; --replace downloads the hub's" in lines
    assert not (tmp_path / "dwpose").exists()


def test_the_tiny_decoder_is_fetched_on_request_alone(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    from models.musetalk.weight_files import TINY_VAE, WEIGHT_FILES
    from tests.models.musetalk.loopback_hub import running_hub

    files = {f"{source.repository}/{source.name}": b"x" * 2000 for file in WEIGHT_FILES for source in file.hub}
    with running_hub(files) as hub:
        fetch = ["weights", "fetch", "--needed-only", "--path", str(tmp_path), "--endpoint", hub.endpoint]
        assert runner.invoke(app, fetch).exit_code == 0
        assert TINY_VAE.find(tmp_path) is None
        assert runner.invoke(app, [*fetch, "--tiny-decoder"]).exit_code == 0
    assert TINY_VAE.find(tmp_path) is not None


def test_a_failed_download_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    result = runner.invoke(app, ["weights", "fetch", "--path", str(tmp_path), "--endpoint", "http://127.0.0.1:1"])
    assert isinstance(result.exception, StartError)
    assert "cannot be reached" in str(result.exception)
