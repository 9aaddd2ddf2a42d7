from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import PreparationError
from models.preparation.face_mesh import MAX_YAW_DEG, check_face, face_width, head_pose
from tests.faces.turned import turned

GOLDEN = Path(__file__).parents[2] / "golden" / "face_mesh_portrait.npz"


def _turned(points: np.ndarray, degrees: float, axes: tuple[int, int]) -> np.ndarray:
    angle, (a, b) = np.radians(degrees), axes
    centred = points - points.mean(axis=0)
    turned = centred.copy()
    turned[:, a] = np.cos(angle) * centred[:, a] - np.sin(angle) * centred[:, b]
    turned[:, b] = np.sin(angle) * centred[:, a] + np.cos(angle) * centred[:, b]
    return (turned + points.mean(axis=0)).astype(np.float32)


def test_the_nets_give_what_the_tflite_runtime_gives():
    """The arrays come from ai-edge-litert 2.3.0 and the wheel's own files; see models/preparation/nets/NOTICE."""
    nets = Path(__file__).parents[3] / "models" / "preparation" / "nets"
    with np.load(GOLDEN) as golden:
        for name, outputs, scale, mean in (
            ("face_mesh", ("landmarks", "presence"), 1 / 255, 0),
            ("face_detection", ("boxes", "scores"), 1 / 127.5, 127.5),
        ):
            net = cv2.dnn.readNetFromONNX(str(nets / f"{name}.onnx"))
            net.setInput(cv2.dnn.blobFromImage(golden[name + "_picture"], scale, mean=(mean,) * 3, swapRB=True))
            for output, found in zip(outputs, net.forward(list(outputs)), strict=True):
                assert np.abs(found.reshape(-1) - golden[output].reshape(-1)).max() < 2e-3, output


def test_points_lie_on_the_drawn_features(detected):
    assert detected.shape == (468, 3)
    assert detected.dtype == np.float32
    drawn = {1: (518, 545), 13: (516, 620), 152: (515, 742), 61: (448, 601), 291: (585, 601), 33: (383, 416)}
    for index, position in drawn.items():
        assert np.linalg.norm(detected[index, :2] - position) < 22, index


def test_a_mirrored_picture_gives_mirrored_points(mesh, portrait, detected):
    mirrored = mesh.find_one(np.ascontiguousarray(portrait[:, ::-1]), "mirrored")
    for left, right in ((61, 291), (33, 263), (234, 454), (152, 152), (1, 1)):
        assert abs(1023 - mirrored[right, 0] - detected[left, 0]) < 5
        assert abs(mirrored[right, 1] - detected[left, 1]) < 5


def test_points_do_not_depend_on_the_size_of_the_picture(mesh, portrait, detected):
    for scale in (0.4, 2.0):
        resized = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else 1)
        found = (mesh.find_one(resized, "resized")[:, :2] + 0.5) / scale - 0.5
        assert np.abs(found - detected[:, :2]).mean() < 2


def test_a_head_that_leans_a_little_is_followed(mesh, portrait):
    turn = cv2.getRotationMatrix2D((512, 512), -15, 1)
    points = mesh.find_one(cv2.warpAffine(portrait, turn, (1024, 1024), borderMode=cv2.BORDER_REPLICATE), "leaning")
    assert head_pose(points).roll == pytest.approx(15, abs=3)


def test_following_a_face_gives_what_finding_it_gives(mesh, portrait, detected):
    moved = np.roll(portrait, (6, -8), axis=(0, 1))
    followed, found = mesh.follow(moved, detected, "next"), mesh.find_one(moved, "next")
    assert np.abs(followed - found)[:, :2].mean() < 3


def test_a_face_that_jumps_is_found_again(mesh, portrait, detected):
    small = np.full_like(portrait, 128)
    small[500:, 500:] = cv2.resize(portrait, (524, 524), interpolation=cv2.INTER_AREA)
    assert face_width(mesh.follow(small, detected, "next")) == pytest.approx(face_width(detected) * 524 / 1024, rel=0.1)


@pytest.mark.parametrize("seed", [None, 0])
def test_a_picture_without_a_face_is_refused_by_name(mesh, seed):
    blank = np.zeros((600, 400, 3), np.uint8)
    picture = blank if seed is None else np.random.default_rng(seed).integers(0, 255, blank.shape, np.uint8)
    with pytest.raises(PreparationError, match=r"^wall\.png: no face was found"):
        mesh.find_one(picture, "wall.png")


def test_two_faces_are_refused(mesh, portrait):
    with pytest.raises(PreparationError, match=r"^couple\.png: 2 faces were found; exactly one"):
        mesh.find_one(np.hstack([portrait, portrait[:, ::-1]]), "couple.png")


def test_a_small_face_in_the_background_does_not_count(mesh, portrait, detected):
    picture = np.full((1024, 1500, 3), 128, np.uint8)
    picture[:, :1024] = portrait
    picture[100:320, 1200:1420] = cv2.resize(portrait, (220, 220), interpolation=cv2.INTER_AREA)
    assert np.abs(mesh.find_one(picture, "with a picture on the wall") - detected)[:, :2].mean() < 3


def test_a_small_face_is_refused_with_its_width(mesh, portrait):
    picture = np.full_like(portrait, 128)
    picture[400:554, 400:554] = cv2.resize(portrait, (154, 154), interpolation=cv2.INTER_AREA)
    with pytest.raises(PreparationError, match=r"^far\.png: the face is 5\d pixels wide; at least 64"):
        mesh.find_one(picture, "far.png")


def test_a_head_on_its_side_is_refused(mesh, portrait):
    turn = cv2.getRotationMatrix2D((512, 512), 45, 1)
    picture = cv2.warpAffine(portrait, turn, (1024, 1024), borderMode=cv2.BORDER_REPLICATE)
    with pytest.raises(PreparationError, match=r"^lying\.png: the head is turned towards a shoulder by 4\d degrees"):
        mesh.find_one(picture, "lying.png")


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("size", [1024, 410])
def test_a_face_on_its_head_is_refused(mesh, portrait, mirrored, size):
    """At 180 degrees the nets may see no face at all; what they see must not pass for one that stands upright."""
    picture = cv2.resize(portrait[:, ::-1] if mirrored else portrait, (size, size), interpolation=cv2.INTER_AREA)
    told = []
    for degrees in (160, 172, 180, 190, 200):
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, 1)
        with pytest.raises(PreparationError) as refused:
            mesh.find_one(cv2.warpAffine(picture, turn, (size, size), borderMode=cv2.BORDER_REPLICATE), "f.png")
        told.append(str(refused.value))
    assert sum("the face is turned upside down" in sentence for sentence in told) >= 3
    assert all("upside down" in sentence or "no face" in sentence for sentence in told)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [-20, -8, 0, 8, 20])
def test_an_upright_face_is_not_taken_for_one_on_its_head(mesh, portrait, mirrored, degrees):
    picture = np.ascontiguousarray(portrait[:, ::-1]) if mirrored else portrait
    turn = cv2.getRotationMatrix2D((512, 512), degrees, 1)
    points = mesh.find_one(cv2.warpAffine(picture, turn, (1024, 1024), borderMode=cv2.BORDER_REPLICATE), "f.png")
    assert points[10, 1] < points[152, 1]


@pytest.mark.parametrize("degrees", [-25, 0, 25])
def test_a_head_that_is_turned_in_the_picture_shows_its_angle(mesh, portrait, detected, degrees):
    aside = mesh.find_one(turned(portrait, detected, yaw_deg=degrees), "aside.png")
    assert head_pose(aside).yaw == pytest.approx(degrees, abs=5)
    lifted = mesh.find_one(turned(portrait, detected, pitch_deg=degrees), "lifted.png")
    assert head_pose(lifted).pitch == pytest.approx(degrees, abs=6)


@pytest.mark.parametrize("degrees", [-60, -40, 40, 60])
def test_a_profile_is_refused(detected, degrees):
    assert abs(degrees) > MAX_YAW_DEG
    with pytest.raises(PreparationError, match="turned to the side"):
        check_face(_turned(detected, degrees, (0, 2)), "profile")


def test_a_face_that_looks_up_is_refused(detected):
    with pytest.raises(PreparationError, match="turned up or down"):
        check_face(_turned(detected, 50, (1, 2)), "sky")
    assert check_face(detected, "straight") is detected
