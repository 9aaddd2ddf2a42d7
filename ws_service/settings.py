"""Settings from the environment and `.env`. Read once, in the composition root, and handed on as plain values."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ws_service.errors import StartError

_ORIGIN = re.compile(r"\*|self|null|[a-z][a-z0-9+.-]*://[^/?#\s]+")
_NEARLY = 0.8  # difflib's ratio: one letter of five wrong


class Settings(BaseSettings):
    """Every setting with its default; `.env.example` lists the same ones."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every interface")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    ssl_certfile: Path | None = Field(
        None, description="certificate and its chain (PEM): with SSL_KEYFILE the service speaks https and wss"
    )
    ssl_keyfile: Path | None = Field(None, description="the certificate's private key (PEM)")
    ssl_keyfile_password: SecretStr = Field(SecretStr(""), description="what the key is encrypted with, if it is")
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=["*"],
        description="origins of pages that may connect, by commas; * for all, self for the service's own",
    )
    avatars_dir: Path = Field(Path("avatars"), description="folder of prepared avatars; must be writable")
    default_avatar: str = Field(
        "default", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="avatar shown when a client names none"
    )
    require_avatar: bool = Field(False, description="refuse an unknown avatar instead of showing the default one")
    engine: Literal["auto", "light", "musetalk"] = Field(
        "auto", description="lip-sync engine: light, musetalk, or auto for musetalk where weights and a CUDA GPU are"
    )
    model_path: Path = Field(Path("weights"), description="folder of downloaded weights; the light engine needs none")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the engine computes: auto, cpu or cuda")
    vae_decoder: Literal["full", "tiny"] = Field(
        "full", description="what draws MuseTalk's faces: full, or tiny: a small part of the arithmetic, less sharp"
    )
    engine_timeout_s: float = Field(
        20.0,
        ge=1,
        allow_inf_nan=False,
        description="seconds in one batch after which the engine hangs: the service ends",
    )
    h264_encoder: Literal["auto", "libx264", "h264_nvenc"] = Field(
        "auto", description="what encodes the video: auto tries h264_nvenc beside a GPU engine, else libx264"
    )
    speech_api_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="server that speaks texts by the OpenAI speech API, https://host/v1; empty for the local voice",
    )
    speech_api_key: SecretStr = Field(SecretStr(""), description="its key")
    speech_api_model: str = Field("tts-1", description="its model")
    speech_api_sample_rate: int = Field(24_000, ge=8_000, le=48_000, description="samples a second of the PCM it sends")
    speech_api_timeout_s: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="how long it may be silent before a speech fails"
    )
    default_voice: str = Field(
        "", max_length=128, description="voice of texts that name none; empty for en-us, or alloy on a server"
    )
    max_sessions: int = Field(400, ge=1, description="connections at one time; more are refused")
    max_queued_audio_s: float = Field(
        60.0, ge=1, le=3600, allow_inf_nan=False, description="seconds of unspoken audio one session may queue"
    )
    idle_timeout_s: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="close a session that sent nothing for so long; 0 never"
    )
    reader_timeout_s: float = Field(
        20.0, ge=1, allow_inf_nan=False, description="close a client that has read nothing for so long"
    )
    ws_ping_interval_s: float = Field(
        20.0, gt=0, allow_inf_nan=False, description="WebSocket pings that find dead peers"
    )
    ws_max_message_bytes: int = Field(4_194_304, ge=65_536, description="largest message a client may send")
    cache_budget_mb: int = Field(
        2048, ge=1, description="memory for avatars, in MiB, about 160 each; those in use may take more"
    )
    cache_ttl_s: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="forget an avatar that nobody has used for so long; 0 never"
    )
    max_upload_mb: int = Field(
        512, ge=1, le=65_536, description="largest form with a photo or video to be prepared, in MiB"
    )
    max_waiting_jobs: int = Field(8, ge=1, description="avatars that may wait to be prepared; more are refused")
    parallel_jobs: int = Field(1, ge=1, le=64, description="avatars that are prepared at one time")
    job_timeout_s: float = Field(
        1800.0, gt=0, allow_inf_nan=False, description="seconds after which a preparation is given up"
    )
    job_memory_mb: int = Field(1536, ge=512, description="memory that a preparation may take, in MiB")
    job_kept_s: float = Field(
        3600.0, ge=0, allow_inf_nan=False, description="how long a preparation that ended can be asked for"
    )
    encoder_threads: int = Field(
        0, ge=0, le=64, description="threads that paint and encode pictures; 0: half the cores, at least 2"
    )
    drain_timeout_s: float = Field(
        5.0, ge=0, allow_inf_nan=False, description="how long SIGTERM waits for clients to take their CLOSE_ACK"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["console", "json"] = Field("console", description="how log lines look")

    @field_validator("log_level", "log_format", "engine", "device", "vae_decoder", "h264_encoder", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            # browsers write them in small letters
            return [origin.strip().rstrip("/").lower() for origin in value.split(",") if origin.strip()]
        return value

    @field_validator("cors_origins")
    @classmethod
    def _be_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin, such as https://page.example or http://localhost:3000")
        return origins

    @field_validator("speech_api_url")
    @classmethod
    def _names_a_port(cls, url: str) -> str:
        if urlsplit(url).port == 0:  # raises for other ports that there are not
            raise ValueError("there is no port 0")
        return url

    @field_validator("speech_api_key", mode="before")
    @classmethod
    def _without_the_newline_of_a_file(cls, key: object) -> object:
        return key.strip() if isinstance(key, str) else key


def read_settings(env_file: Path | None = Path(".env"), **overrides: object) -> Settings:
    """Settings from the environment, `.env` and `overrides`. Raises `StartError` naming each wrong setting."""
    if env_file is not None and env_file.is_file():
        try:
            env_file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise StartError(f"{env_file} is not UTF-8 text") from None
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=env_file, **given)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = (
            f"{'.'.join(str(part) for part in e['loc']).upper()}={e['input']!r}: {e['msg'].lower()}"
            for e in error.errors()
        )
        raise StartError("Bad setting " + "; ".join(wrong)) from None


def misspelt_settings(env_file: Path = Path(".env")) -> list[str]:
    """A sentence for each key of `.env` that is no setting but nearly one: such a key is ignored."""
    known = [name.upper() for name in Settings.model_fields]
    unknown = [key for key in dotenv_values(env_file, interpolate=False) if key.upper() not in known]
    near = {key: get_close_matches(key.upper(), known, 1, _NEARLY) for key in unknown}
    return [f"{env_file} sets {key}, which is no setting; {found[0]} is" for key, found in near.items() if found]


def describe_settings() -> str:
    """The text of `.env.example`: every setting, its meaning and its default."""
    lines = ["# Every setting of the service with its default. Copy to .env and change what you need."]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        text = (
            ",".join(default)
            if isinstance(default, list)
            else str(default).lower()
            if isinstance(default, bool)
            else ""
            if default is None
            else default
        )
        lines += ["", f"# {field.description}", f"{name.upper()}={text}"]
    return "\n".join(lines) + "\n"
