"""Reads a video file picture by picture, at 25 fps whatever its own rate.

Owns decoding, resampling in time, and the sentences for files that cannot be read. One picture is in memory at a time.
Must not import other modules of the project but the errors.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError

_FRAME_MS = 40.0
_FFMPEG_LOG_LEVEL = "OPENCV_FFMPEG_LOGLEVEL"
_QUIET = "-8"  # AV_LOG_QUIET
_MISSING_SHARE = 0.05  # of the frames that the header promises may be missing: headers round


def read_frames(path: Path, most: int) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The first `most` frames of the clip at 25 fps: index at 25 fps, number in the file, picture (H, W, 3) BGR.

    Pictures are upright. Raises `PreparationError` naming the file and, where it breaks off, the frame.
    """
    if path.is_dir():
        raise PreparationError(f"{path.name}: is a folder, not a video.")
    if not path.is_file() or path.stat().st_size == 0:
        raise PreparationError(f"{path.name}: there is no such file, or it is empty.")
    with _quiet():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise PreparationError(f"{path.name}: not a video that can be read, or truncated before its first frame.")
        yield from _resampled(_decoded(capture, path.name), most)
    finally:
        capture.release()


@contextmanager
def _quiet() -> Iterator[None]:
    """Opens without OpenCV's and FFmpeg's own lines on the terminal: what is wrong with a file is told by an error.

    OpenCV reads FFmpeg's log level when it opens the first video of the process; somebody's own choice stays.
    """
    level, chosen = cv2.utils.logging.getLogLevel(), os.environ.get(_FFMPEG_LOG_LEVEL)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault(_FFMPEG_LOG_LEVEL, _QUIET)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
        if chosen is None:
            del os.environ[_FFMPEG_LOG_LEVEL]


def _decoded(capture: cv2.VideoCapture, name: str) -> Iterator[tuple[float, int, NDArray[np.uint8]]]:
    """Every frame: time in ms from the first, number, picture."""
    promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    rate = capture.get(cv2.CAP_PROP_FPS)
    step_ms = 1000 / rate if rate > 0 else _FRAME_MS
    number, time_ms, start_ms = 0, -step_ms, 0.0
    while True:
        ok, picture = capture.read()
        if not ok:
            break
        stamp_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        start_ms = stamp_ms if number == 0 else start_ms
        # some containers have no usable time stamps: then the frame rate tells
        time_ms = stamp_ms - start_ms if stamp_ms - start_ms > time_ms else time_ms + step_ms
        yield time_ms, number, np.asarray(picture, np.uint8)
        number += 1
    if number == 0:
        raise PreparationError(f"{name}: the clip has no frame.")
    if number + 2 < promised * (1 - _MISSING_SHARE):
        raise PreparationError(f"{name}: breaks off after frame {number - 1} of {promised:.0f}; the file is truncated.")


def _resampled(
    frames: Iterator[tuple[float, int, NDArray[np.uint8]]], most: int
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """For each 40 ms the frame nearest in time, at most `most`."""
    index = 0
    before: tuple[float, int, NDArray[np.uint8]] | None = None
    for time_ms, number, picture in frames:
        while before is not None and index * _FRAME_MS <= (before[0] + time_ms) / 2 and index < most:
            yield index, before[1], before[2]
            index += 1
        if index == most:
            return
        before = time_ms, number, picture
    while before is not None and index * _FRAME_MS <= before[0] + _FRAME_MS / 2 and index < most:
        yield index, before[1], before[2]
        index += 1
