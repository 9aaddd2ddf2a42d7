"""The commands `client` and `load`. Owns options, exit codes and the terminal; `register` mounts them.

Exit codes: 0 all well, 1 the stream broke a rule, 2 bad usage, no connection or a broken one, or a file that cannot be
read or written. Must not import the service.
"""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from test_client.audio_file import Speech, read_speech
from test_client.errors import ClientError
from test_client.load import LoadPlan, run_load
from test_client.load_picture import draw_load, require_matplotlib
from test_client.observation import Observation
from test_client.report import load_report, stream_report
from test_client.scripted import Target, TypedConversation, speak_file
from test_client.synthetic_speech import make_speech

BROKEN_RULE = 1
BAD_USAGE = 2
_MADE_SPEECH_S = 6.0

ServerOption = Annotated[
    str, typer.Option("--server", help="Address of the service. For wss, SSL_CERT_FILE may name authorities to trust.")
]
AudioOption = Annotated[
    Path | None, typer.Option("--audio", help="Speech to send: WAV, MP3, FLAC, ... Without it, speech-like sound.")
]
TextModeOption = Annotated[bool, typer.Option("--text-mode", help="Base64 in JSON instead of binary messages.")]
TokenOption = Annotated[str | None, typer.Option("--token", envvar="MUSETALK_TOKEN", help="Bearer token.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to an application."""
    app.command("client")(client)
    app.command("load")(load)


def client(
    server: ServerOption = "ws://127.0.0.1:8000",
    user_id: Annotated[str, typer.Option("--user-id", help="Names the avatar, unless --avatar-id does.")] = "demo",
    audio: AudioOption = None,
    save: Annotated[Path | None, typer.Option("--save", help="MP4 of what was seen and heard.")] = None,
    burst: Annotated[bool, typer.Option("--burst", help="Send all speech at once, not at its own pace.")] = False,
    native_rate: Annotated[bool, typer.Option("--native-rate", help="Let the server resample.")] = False,
    text_mode: TextModeOption = False,
    all_intra: Annotated[bool, typer.Option("--all-intra", help="Ask for every frame as an IDR.")] = False,
    audio_out: Annotated[bool, typer.Option("--audio-out", help="Ask for the sound with the video.")] = False,
    avatar_id: Annotated[str | None, typer.Option("--avatar-id", help="Which avatar.")] = None,
    token: TokenOption = None,
    interactive: Annotated[bool, typer.Option("--interactive", help="Obey commands typed in.")] = False,
    lead_s: Annotated[float, typer.Option("--lead", min=0.0, help="Idle seconds before and after speech.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Stream speech to an avatar; check, measure and save what comes back."""
    target = Target(server, user_id, not text_mode, token, avatar_id, audio_out, all_intra)
    try:
        if save is not None:
            _require_film(save)
        speech = _speech(audio, native_rate=native_rate)
        if interactive:
            conversation = TypedConversation(target, speech, typer.echo)
            observation = _run(conversation.run(_typed_lines()))
        else:
            observation = _run(speak_file(target, speech, realtime=not burst, lead_s=lead_s))
        # what ended the conversation is told at the end
        told = [error for error in observation.server_errors if error != str(observation.failure)]
        notes = [f"The server said {error}" for error in told]
        if save is not None:
            observation.recording.save(save)
            notes.append(f"Saved {observation.recording.frames} frames as {save}.")
    except ClientError as error:
        _fail(error)
    violations = observation.violations()
    figures = observation.statistics.figures()
    if as_json:
        typer.echo(json.dumps({**figures.as_dict(), "violations": violations, "notes": notes}, indent=2))
    else:
        Console().print(stream_report(figures, violations, notes))
    if observation.failure is not None:
        _fail(observation.failure)
    # an ERROR is what someone at the keyboard may ask for
    if violations or (observation.server_errors and not interactive):
        raise typer.Exit(BROKEN_RULE)


def load(
    server: ServerOption = "ws://127.0.0.1:8000",
    idle: Annotated[int, typer.Option("--idle", min=0, help="Users who only watch.")] = 0,
    speaking: Annotated[int, typer.Option("--speaking", min=0, help="Users who speak, with pauses of a second.")] = 0,
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="Time measured, after all have come.")] = 30.0,
    plot: Annotated[Path | None, typer.Option("--plot", help="PNG of gaps and start times.")] = None,
    audio: AudioOption = None,
    text_mode: TextModeOption = False,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate many users at once; measure what each of them gets."""
    try:
        if idle + speaking == 0:
            raise ClientError("No users: give --idle or --speaking.")
        if plot is not None:
            _require_folder(plot)
            require_matplotlib()
        speech = _speech(audio)
        result = run_load(LoadPlan(server, idle, speaking, seconds, speech, not text_mode, token))
        if plot is not None:
            draw_load(result, plot)
    except ClientError as error:
        _fail(error)
    figures = result.figures
    if as_json:
        typer.echo(json.dumps(figures.as_dict(), indent=2))
    else:
        Console().print(load_report(figures))
    if figures.idle.frames + figures.speaking.frames == 0:
        raise typer.Exit(BAD_USAGE)
    if not figures.all_well:
        raise typer.Exit(BROKEN_RULE)


def _run(conversation: Coroutine[None, None, Observation]) -> Observation:
    return asyncio.run(conversation)


def _speech(audio: Path | None, *, native_rate: bool = False) -> Speech:
    if audio is None:
        return make_speech(_MADE_SPEECH_S)
    return read_speech(audio, sample_rate=None) if native_rate else read_speech(audio)


async def _typed_lines() -> AsyncIterator[str]:
    """Lines of standard input; a thread reads them, since a terminal has no other way that works everywhere."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue(maxsize=16)

    def read() -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            for line in chain(sys.stdin, ["quit"]):
                asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    # daemon: a thread that waits for a key must not keep the program alive
    threading.Thread(target=read, daemon=True).start()
    while True:
        yield await lines.get()


def _require_film(path: Path) -> None:
    if path.suffix.lower() != ".mp4":
        raise ClientError(f"{path.name} is no name for a film: only MP4 is written, so let it end in .mp4.")
    _require_folder(path)


def _require_folder(path: Path) -> None:
    if not path.resolve().parent.is_dir():
        raise ClientError(f"There is no folder {path.resolve().parent} to save {path.name} in.")


def _fail(error: ClientError) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(BAD_USAGE) from error
