"""The child process that prepares one avatar: `python -m ws_service.avatars.preparation_child`.

Reads a request from standard input, writes JSON lines to standard output, and ends when it is done or when its input
is closed: a service that cancels it closes it, and one that was killed does so too. What it takes from live sessions is
the time that they leave over, and its memory is bounded; where memory runs out all the same, the kernel ends it before
the service. Imports nothing heavy until that is settled. Knows no asyncio and no service.
"""

import base64
import contextlib
import os
import re
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ws_service.avatars.child_messages import DONE, Ending, PreparationRequest, Progress, Publishing, message_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.preparation.prepare import AvatarOrder

NICENESS = 19
_TELL_EVERY_S = 0.25
_JPEG_QUALITY = 75
_END_AT_THE_LATEST_S = 5.0  # after the input was closed
_MAX_PIXELS = 1 << 26  # of a photo: 64 million, 200 MB of memory

# containers of FFmpeg that hold video themselves; playlists and the like would read other files of this computer
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf"
_FFMPEG_OPTIONS = f"protocol_whitelist;file|format_whitelist;{_FORMATS}"


def main() -> None:
    """Entry point of the process."""
    # ignored where a script started the service in the background, and then nothing would end this process in order
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = _own_output()
    request = PreparationRequest.from_line(sys.stdin.buffer.readline())
    _be_modest(request.memory_bytes)
    publishing = threading.Lock()
    reporter = Reporter(report)
    threading.Thread(target=_end_with_the_service, args=[publishing, reporter], daemon=True).start()
    error, trace = None, ""
    try:
        error = _prepare(request, reporter, publishing)
    except KeyboardInterrupt:
        return
    except Exception as unexpected:
        _bound_memory(None)  # to say so takes some
        error, trace = _in_words(unexpected, request), traceback.format_exc()
    report(message_line(Ending(error, trace, _peak_memory_bytes())))


class Reporter:
    """Passes progress on, a few times a second at most."""

    def __init__(self, write: Callable[[bytes], None], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock_s = clock_s
        self._stage = ""
        self._began_s = self._told_s = 0.0
        self._frames = 0
        self._thumbnail = ""
        self.is_done = False

    def progress(self, stage: str, fraction: float) -> None:
        """What is being done, and the share of the whole that is done, 0..1. Called once for each frame."""
        self.is_done = stage == DONE.stage
        now_s = self._clock_s()
        is_new = stage != self._stage
        if is_new:
            self._stage, self._began_s, self._frames = stage, now_s, 0
        else:
            self._frames += 1
        if is_new or now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            took_s = now_s - self._began_s
            rate = round(self._frames / took_s, 1) if self._frames and took_s > 0 else None
            thumbnail, self._thumbnail = self._thumbnail, ""
            self._write(message_line(Progress(stage, fraction, rate, thumbnail)))

    def publishing(self, stamp: tuple[int, int, int]) -> None:
        """The avatar with this stamp appears now."""
        self._write(message_line(Publishing(stamp)))

    def thumbnail(self, picture: "NDArray[np.uint8]") -> None:
        """A small picture (H, W, 3), BGR, of what is being worked on; goes with the next progress."""
        import cv2

        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        self._thumbnail = base64.b64encode(jpeg.tobytes()).decode("ascii")


def _prepare(request: PreparationRequest, reporter: Reporter, publishing: threading.Lock) -> str | None:
    """Make the avatar; returns why it cannot be made, or None."""
    import cv2

    from models.errors import AvatarError, PreparationError
    from ws_service.avatars.make_avatar import make_avatar
    from ws_service.avatars.store import stamp_of

    @contextlib.contextmanager
    def appearing(folder: Path) -> Iterator[None]:
        with publishing:
            if stamp := stamp_of(folder):
                reporter.publishing(astuple(stamp))
            yield

    cv2.setNumThreads(1)
    try:
        make_avatar(
            _order(request),
            request.avatars_dir / request.avatar_id,
            replace=request.replace,
            progress=reporter.progress,
            thumbnail=reporter.thumbnail,
            while_publishing=appearing,
        )
    except (AvatarError, PreparationError) as error:
        return _without_folder(str(error), request.avatars_dir)
    return None


def _order(request: PreparationRequest) -> "AvatarOrder":
    from models.preparation.prepare import AvatarOrder
    from models.preparation.steadying import Steadying

    clips = dict(request.sources)
    image, recording = clips.pop("image_file", None), clips.pop("recording_file", None)
    if "video_file" in clips:
        clips["idle_0"] = clips.pop("video_file")
    return AvatarOrder(image, clips, recording, request.actions, Steadying(**request.steadying))


def _in_words(error: Exception, request: PreparationRequest) -> str:
    import cv2

    out_of_memory = isinstance(error, MemoryError) or (
        isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem
    )
    what = ", ".join(request.sources)
    if out_of_memory:
        return f"{what}: needs more than {request.memory_bytes >> 20} MB of memory; make it smaller."
    return f"{what}: cannot be worked on ({type(error).__name__})."


def _without_folder(sentence: str, folder: Path) -> str:
    return sentence.replace(f"{folder}/", "")  # whoever sent the recording need not know where avatars lie


def _own_output() -> Callable[[bytes], None]:
    """Standard output for messages alone: what a library prints goes to standard error."""
    sys.stdout.flush()
    output: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def write(line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the service is gone: the input tells
            output.write(line)

    return write


def _be_modest(memory_bytes: int) -> None:
    """One thread, the time that others leave, bounded memory, and the first to go when the machine has none left."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _FFMPEG_OPTIONS
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(_MAX_PIXELS)
    os.nice(NICENESS)
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _bound_memory(memory_bytes)


def _bound_memory(soft_bytes: int | None) -> None:
    """None: as much as there is. Mapped files (the pictures) do not count: they give way when memory is short."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(OSError, ValueError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_DATA, (hard if soft_bytes is None else soft_bytes, hard))


def _peak_memory_bytes() -> int:
    """Resident memory at its highest; 0 where it is not known."""
    # not `getrusage`: what the service had when it started this process counts there
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def _end_with_the_service(publishing: threading.Lock, reporter: Reporter) -> None:
    """Wait until the input is closed; then let the main thread clear up, but not for ever.

    Not while an avatar appears, nor after it: it is told then, whoever cancels meanwhile.
    """
    import _thread

    sys.stdin.buffer.read()
    with publishing:
        if not reporter.is_done:
            _thread.interrupt_main()
    time.sleep(_END_AT_THE_LATEST_S)
    os._exit(1)


if __name__ == "__main__":
    main()
