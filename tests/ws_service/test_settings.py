"""Settings come from the environment and .env, are described in full, and a bad one is named."""

import os
import re
from pathlib import Path

import pytest

from ws_service.errors import StartError
from ws_service.settings import Settings, describe_settings, misspelt_settings, read_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch, tmp_path):
    known = {name.upper() for name in Settings.model_fields}
    for name in [name for name in os.environ if name.upper() in known]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_env_example_is_what_the_settings_say_of_themselves():
    assert EXAMPLE.read_text(encoding="utf-8") == describe_settings()


def test_env_example_lists_every_setting_with_a_sentence_before_it():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for name in Settings.model_fields:
        at = next(n for n, line in enumerate(lines) if line.startswith(f"{name.upper()}="))
        assert re.match(r"# \w{2,}", lines[at - 1])


def test_env_example_as_it_is_gives_the_defaults():
    assert read_settings(EXAMPLE) == read_settings(None)


def test_without_any_setting_the_service_is_local_and_needs_nothing():
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.engine, settings.device, settings.vae_decoder, settings.h264_encoder) == (
        "auto",
        "auto",
        "full",
        "auto",
    )
    assert settings.max_queued_audio_s == 60
    assert settings.default_avatar == "default"
    assert not settings.require_avatar


def test_the_environment_counts_more_than_dot_env_and_an_argument_more_than_both(monkeypatch):
    Path(".env").write_text("PORT=1111\nHOST=10.0.0.1\nMAX_SESSIONS=7\n", encoding="utf-8")
    monkeypatch.setenv("PORT", "2222")
    monkeypatch.setenv("HOST", "10.0.0.2")
    settings = read_settings(port=3333)
    assert (settings.port, settings.host, settings.max_sessions) == (3333, "10.0.0.2", 7)


def test_an_argument_that_was_not_given_changes_nothing(monkeypatch):
    monkeypatch.setenv("PORT", "2222")
    assert read_settings(port=None).port == 2222


def test_an_empty_variable_is_no_setting(monkeypatch):
    monkeypatch.setenv("PORT", "")
    assert read_settings().port == 8000


def test_what_is_not_ours_is_ignored(monkeypatch):
    Path(".env").write_text("SOMETHING_ELSE=1\n", encoding="utf-8")
    assert read_settings().port == 8000


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("*", ["*"]),
        ("https://a.example", ["https://a.example"]),
        ("https://a.example, http://localhost:3000/ ,", ["https://a.example", "http://localhost:3000"]),
        ("HTTPS://Page.Example,self,null", ["https://page.example", "self", "null"]),
    ],
)
def test_origins_are_separated_by_commas(monkeypatch, text, origins):
    monkeypatch.setenv("CORS_ORIGINS", text)
    assert read_settings().cors_origins == origins


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("DEFAULT_AVATAR", "../etc"),
        ("REQUIRE_AVATAR", "perhaps"),
        ("ENGINE", "magic"),
        ("DEVICE", "tpu"),
        ("VAE_DECODER", "huge"),
        ("H264_ENCODER", "vp9"),
        ("ENGINE_TIMEOUT_S", "0"),
        ("MAX_SESSIONS", "0"),
        ("MAX_QUEUED_AUDIO_S", "0"),
        ("MAX_QUEUED_AUDIO_S", "nan"),
        ("IDLE_TIMEOUT_S", "-1"),
        ("WS_PING_INTERVAL_S", "0"),
        ("WS_MAX_MESSAGE_BYTES", "10"),
        ("ENCODER_THREADS", "2.5"),
        ("DRAIN_TIMEOUT_S", "nan"),
        ("CORS_ORIGINS", "page.example"),
        ("CORS_ORIGINS", "https://page.example/path"),
        ("SPEECH_API_URL", "ftp://voice.example"),
        ("SPEECH_API_URL", "http://voice.example:99999/v1"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_with_the_name_of_the_setting_and_what_was_given(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match=re.escape(name)) as refused:
        read_settings()
    assert value in str(refused.value)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("ENGINE", ["auto", "light", "musetalk"]),
        ("VAE_DECODER", ["full", "tiny"]),
        ("H264_ENCODER", ["auto", "libx264", "h264_nvenc"]),
    ],
)
def test_a_word_that_is_none_of_the_allowed_is_told_which_are(monkeypatch, name, allowed):
    monkeypatch.setenv(name, "something")
    with pytest.raises(StartError) as refused:
        read_settings()
    assert all(f"'{word}'" in str(refused.value) for word in allowed)


def test_all_bad_values_are_named_at_once(monkeypatch):
    monkeypatch.setenv("PORT", "x")
    Path(".env").write_text("ENGINE=magic\n", encoding="utf-8")
    with pytest.raises(StartError, match=r"(?s)(?=.*PORT)(?=.*ENGINE)"):
        read_settings()


@pytest.mark.parametrize("name", ["ENGINE_TIMEOUT_S", "IDLE_TIMEOUT_S", "READER_TIMEOUT_S", "WS_PING_INTERVAL_S"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_time_is_a_finite_number(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match=name):
        read_settings(env_file=None)


def test_words_may_be_written_in_capitals(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    monkeypatch.setenv("LOG_FORMAT", "JSON")
    settings = read_settings(env_file=None)
    assert (settings.log_level, settings.log_format) == ("info", "json")


def test_an_env_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    with pytest.raises(StartError, match="UTF-8"):
        read_settings(env_file=tmp_path / ".env")


def test_the_newline_of_a_file_is_no_part_of_a_key(monkeypatch):
    monkeypatch.setenv("SPEECH_API_KEY", "sk-secret\n")
    settings = read_settings()
    assert settings.speech_api_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(settings)


def test_keys_of_dot_env_that_are_nearly_settings_are_named_and_others_are_not(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text("CORS_ORIGIN=*\nssl_cert_file=x\nport=1\nSOMETHING_ELSE=1\nMAX_SESSIONS=3\n", encoding="utf-8")
    sentences = misspelt_settings(env_file)
    assert [sentence.partition(" sets ")[2] for sentence in sentences] == [
        "CORS_ORIGIN, which is no setting; CORS_ORIGINS is",
        "ssl_cert_file, which is no setting; SSL_CERTFILE is",
    ]
    assert misspelt_settings(tmp_path / "none") == []
