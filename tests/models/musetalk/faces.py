"""Avatars for MuseTalk's tests: the golden photograph with landmarks, as a little video of different pictures."""

from functools import cache
from pathlib import Path

import numpy as np

from models.preparation.colour import bgr_to_i420
from models.preparation.face_mesh import FaceMesh
from models.prepared_avatar import BaseVideo, PreparedAvatar, load_avatar, save_avatar


@cache
def photograph_points(picture: bytes) -> np.ndarray:
    """(468, 2) landmarks of a picture (512, 512, 3) BGR, given as its bytes."""
    bgr = np.frombuffer(picture, np.uint8).reshape(512, 512, 3)
    return FaceMesh().find_one(bgr, "the golden picture")[:, :2]


def photo_avatar(bgr: np.ndarray, name: str = "ann") -> PreparedAvatar:
    """Two loops of 25 frames: the photograph moving to the right and back by 2 pixels; three different pictures."""
    landmarks = photograph_points(bgr.tobytes())
    steps = [0, 2, 4, 2] * 6 + [0]
    moved = {step: bgr_to_i420(np.roll(bgr, step, axis=1)) for step in set(steps)}
    pictures = np.stack([moved[step] for step in steps])
    points = np.stack([landmarks + np.float32((step, 0)) for step in steps])
    videos = {video: BaseVideo(video, pictures, points) for video in ("idle_0", "speaking_0")}
    return PreparedAvatar(name, videos, same_pose=True, material={})


def saved_photo_avatar(bgr: np.ndarray, folder: Path, name: str = "ann") -> PreparedAvatar:
    """The same, read from a folder."""
    save_avatar(photo_avatar(bgr, name), folder)
    return load_avatar(folder)
