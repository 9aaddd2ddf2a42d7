"""The command `musetalk`: serve, prepare, client, load. Errors are one sentence on standard error and exit code 2."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ws_service.avatars_command import app as avatars_app
from ws_service.engine_bench.command import app as bench_app
from ws_service.errors import StartError
from ws_service.weights_command import app as weights_app

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A real-time talking avatar.")
app.add_typer(avatars_app, name="avatars")
app.add_typer(weights_app, name="weights")
app.add_typer(bench_app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("musetalk-stream"))
        raise typer.Exit


@app.callback()
def about(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A real-time talking avatar."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Run the service. Everything else is set in the environment or in .env; see .env.example.

    Exit code 70 when its engine failed for good and another process is to be started, as a supervisor does.
    """
    from functools import partial

    import cv2
    import structlog

    from ws_service.app import build_app, check_settings
    from ws_service.logs import configure_logs
    from ws_service.server import check_certificate, end_at_the_latest, end_for_restart, listen, make_server
    from ws_service.settings import misspelt_settings, read_settings

    settings = read_settings(host=host, port=port)
    configure_logs(settings.log_level, settings.log_format)
    for sentence in misspelt_settings():
        structlog.get_logger().warning(sentence)
    cv2.setNumThreads(1)  # OpenCV's own threads beside an event loop make frames of 2 ms take 160
    check_settings(settings)
    password = settings.ssl_keyfile_password.get_secret_value()
    encrypted = check_certificate(settings.ssl_certfile, settings.ssl_keyfile, password)
    sock = listen(settings.host, settings.port)
    address, bound_port = sock.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    typer.echo(f"musetalk-stream on {'https' if encrypted else 'http'}://{shown}:{bound_port}", err=True)
    app = build_app(settings)
    server = make_server(app, settings, at_failure=partial(end_at_the_latest, settings.drain_timeout_s))
    server.run(sockets=[sock])
    if app.state.service.failure is not None:
        end_for_restart()
    structlog.get_logger().info("stopped")


@app.command()
def prepare(
    name: Annotated[str, typer.Option(help="The avatar's name: letters, digits, - and _.")],
    image: Annotated[Path | None, typer.Option(help="A photo of one face.")] = None,
    video: Annotated[Path | None, typer.Option(help="A video of one face.")] = None,
    base: Annotated[
        list[str] | None, typer.Option(help="A video for one base, as in idle_1=clip.mp4; repeatable.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option(help="One long video, to be cut: quiet parts idle, the others speak.")
    ] = None,
    action: Annotated[
        list[str] | None, typer.Option(help="Its seconds that are an action, as in action_1=12.5-15; repeatable.")
    ] = None,
    box_filter: Annotated[bool, typer.Option(help="Hold a shaking face still (One-Euro filter).")] = True,
    scale_lock: Annotated[bool, typer.Option(help="Keep the face at the size of the first second.")] = True,
    tracking: Annotated[bool, typer.Option(help="Follow the face between frames (Lucas-Kanade).")] = True,
    force: Annotated[bool, typer.Option(help="Replace an avatar of this name.")] = False,
) -> None:
    """Make an avatar from a photo or from video, into AVATARS_DIR; its report.html says what was seen and done."""
    from models.preparation.steadying import Steadying
    from ws_service.avatars.prepare_command import avatar_order, prepare_avatar
    from ws_service.settings import read_settings

    order = avatar_order(
        image=image,
        video=video,
        bases=base or (),
        recording=recording,
        actions=action or (),
        steadying=Steadying(box_filter, scale_lock, tracking),
    )
    prepare_avatar(read_settings().avatars_dir, name, order, force=force)


@app.command("settings")
def show_settings() -> None:
    """Print every setting with its default, as .env.example holds them."""
    from ws_service.settings import describe_settings

    typer.echo(describe_settings(), nl=False)


def main() -> None:
    """Entry point of the console script."""
    # before numpy is loaded: threads of BLAS and OpenMP beside an event loop cost more than they bring
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    from test_client.cli import register

    register(app)
    try:
        app()
    except StartError as error:
        typer.echo(f"musetalk: {error}", err=True)
        sys.exit(2)
