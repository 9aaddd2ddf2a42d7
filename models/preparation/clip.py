"""Reads a video file at 25 fps, finds its face in every frame, and makes the loop that `loop_plan` chose.

Owns decoding, resampling in time and the order of the two passes: the first looks for the face, the second cuts the
pictures out. No more than a few frames are in memory at once. Must not import modules that write files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PreparationError
from models.preparation.colour import bgr_to_i420
from models.preparation.crop import Crop, choose_crop
from models.preparation.cuts import find_cut, grey_thumbnail
from models.preparation.face_mesh import FaceMesh
from models.preparation.loop_plan import LoopFrame, plan_loop

MAX_SECONDS = 10

Thumbnail = Callable[[NDArray[np.uint8]], None]  # a picture of what is being worked on: (160, 160, 3) BGR

_FRAME_MS = 40.0
_MAX_FRAMES = MAX_SECONDS * 25
_COUNT_AGAIN_EVERY = 25  # frames between two looks for a second face
_THUMBNAIL_SIZE = 160
_SMOOTHING_FRAMES = 1.3  # sigma
_FFMPEG_LOG_LEVEL = "OPENCV_FFMPEG_LOGLEVEL"
_QUIET = "-8"  # AV_LOG_QUIET
_MISSING_SHARE = 0.05  # of the frames that the header promises may be missing: headers round


@dataclass(frozen=True, slots=True)
class SurveyedClip:
    """What the first pass found. `points`: (N, 468, 3) at 25 fps, smoothed over time, pixels of the source."""

    path: Path
    points: NDArray[np.float32]
    crop: Crop
    loop: list[LoopFrame]


def survey_clip(path: Path, progress: Callable[[float], None], thumbnail: Thumbnail | None = None) -> SurveyedClip:
    """Find the face in every frame and plan the loop. `progress` hears the share done, `thumbnail` sees each second.

    Raises `PreparationError` naming the file and the frame (counted from 0 in the file).
    """
    mesh = FaceMesh()
    found: list[NDArray[np.float32]] = []
    thumbnails: list[NDArray[np.uint8]] = []
    numbers: list[int] = []
    size = (0, 0)
    for index, number, picture in _frames(path):
        where = f"{path.name}, frame {number}"
        look_again = index % _COUNT_AGAIN_EVERY == 0
        found.append(mesh.find_one(picture, where) if look_again else mesh.follow(picture, found[-1], where))
        thumbnails.append(grey_thumbnail(picture))
        numbers.append(number)
        size = (picture.shape[1], picture.shape[0])
        if thumbnail is not None and look_again:
            thumbnail(thumbnail_of(choose_crop(found[-1], *size).cut(picture)))
        progress((index + 1) / _MAX_FRAMES)
    # a frame of the file that is shown longer came more than once
    own, first = np.unique(numbers, return_index=True)
    if (cut := find_cut(np.stack(found)[first], np.stack(thumbnails)[first])) is not None:
        raise PreparationError(f"{path.name}, frame {own[cut]}: there is a cut; a face in one take is needed.")
    points = _smooth(np.stack(found))
    return SurveyedClip(path, points, choose_crop(points, *size), plan_loop(points, path.name))


def thumbnail_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cut-out (512, 512, 3) as `Thumbnail` sees it."""
    return np.asarray(cv2.resize(picture, (_THUMBNAIL_SIZE, _THUMBNAIL_SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def fill_loop(
    clip: SurveyedClip,
    pictures: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    progress: Callable[[float], None],
) -> NDArray[np.uint8]:
    """Write the loop into `pictures` (N, 768, 512) and `landmarks` (N, 468, 2); N as `clip.loop` is long.

    Returns the source picture of the loop's first frame, (H, W, 3) BGR.
    """
    placed = clip.crop.place(clip.points)[..., :2]
    for index, frame in enumerate(clip.loop):
        landmarks[index] = placed[frame.main] * (1 - frame.share) + placed[frame.faded] * frame.share
    wanted: dict[int, list[int]] = {}
    for index, frame in enumerate(clip.loop):
        for source in {frame.main, frame.faded} if frame.share else {frame.main}:
            wanted.setdefault(source, []).append(index)
    first: NDArray[np.uint8] | None = None
    seen: set[int] = set()
    for source, _, picture in _frames(clip.path):
        progress(len(seen) / len(clip.loop))
        if source not in wanted:
            continue
        if source == clip.loop[0].main:
            first = picture
        i420 = bgr_to_i420(clip.crop.cut(picture))
        for index in wanted[source]:
            frame = clip.loop[index]
            share = frame.share if source == frame.faded else 1 - frame.share
            if not frame.share:
                pictures[index] = i420
            elif index in seen:  # the other half of a cross-fade is there
                pictures[index] = cv2.addWeighted(pictures[index], 1 - share, i420, share, 0)
            else:
                pictures[index] = i420
            seen.add(index)
    if first is None or len(seen) < len(clip.loop):
        raise PreparationError(f"{clip.path.name}: gave fewer frames when read again.")
    return first


def _frames(path: Path) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """The clip at 25 fps: index at 25 fps, number in the file, picture (H, W, 3) BGR, upright."""
    if path.is_dir():
        raise PreparationError(f"{path.name}: is a folder, not a video.")
    if not path.is_file() or path.stat().st_size == 0:
        raise PreparationError(f"{path.name}: there is no such file, or it is empty.")
    with _quiet():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise PreparationError(f"{path.name}: not a video that can be read, or truncated before its first frame.")
        yield from _resampled(_decoded(capture, path.name))
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
    frames: Iterator[tuple[float, int, NDArray[np.uint8]]],
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """For each 40 ms the frame nearest in time, at most `_MAX_FRAMES`."""
    index = 0
    before: tuple[float, int, NDArray[np.uint8]] | None = None
    for time_ms, number, picture in frames:
        while before is not None and index * _FRAME_MS <= (before[0] + time_ms) / 2 and index < _MAX_FRAMES:
            yield index, before[1], before[2]
            index += 1
        if index == _MAX_FRAMES:
            return
        before = time_ms, number, picture
    while before is not None and index * _FRAME_MS <= before[0] + _FRAME_MS / 2 and index < _MAX_FRAMES:
        yield index, before[1], before[2]
        index += 1


def _smooth(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """A Gaussian over time, against the landmarker's trembling."""
    reach = 4
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTHING_FRAMES) ** 2)
    weights /= weights.sum()
    padded = np.pad(points, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    smoothed = sum(weight * padded[at : at + len(points)] for at, weight in enumerate(weights))
    return np.asarray(smoothed, np.float32)
