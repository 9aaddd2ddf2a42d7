import itertools
import threading

import cv2
import numpy as np
import pytest

from models.errors import ModelError
from models.light.face_geometry import INNER_LOWER_ROWS, INNER_UPPER_ROWS, measure_face
from models.light.mouth_parameters import MouthParameters
from models.light.mouth_targets import control_targets
from models.light.renderer import MouthRenderer
from models.light.scratch import Scratch
from models.light.warp import planes_of
from models.preparation.face_mesh import FaceMesh
from tests.models.light.faces import AA, EH, PBM, REST, VISEMES, Face, portrait, toothy

FACES = pytest.mark.parametrize("face", [portrait(), toothy()], ids=["closed", "open"])


def paint(face: Face, mouth: MouthParameters) -> np.ndarray:
    return face.renderer.paint(mouth, face.picture, face.geometry)


@FACES
def test_a_mouth_at_rest_is_an_exact_copy_of_the_base(face) -> None:
    output = paint(face, REST)
    assert np.array_equal(output, face.picture)
    assert not np.shares_memory(output, face.picture)
    assert output.flags.writeable


@FACES
@pytest.mark.parametrize("mouth", VISEMES)
def test_eyes_background_and_shoulders_stay_as_they_are(face, mouth) -> None:
    output = paint(face, mouth)
    top = int(face.landmarks[[159, 386, 145, 374], 1].max()) + 6  # below the eyes
    left, right = int(face.landmarks[234, 0]) - 20, int(face.landmarks[454, 0]) + 20
    for plane, before, step in zip(planes_of(output), planes_of(face.picture), (1, 2, 2), strict=True):
        changed = plane != before
        assert changed.any()
        assert not changed[: top // step].any()
        assert not changed[:, : left // step].any()
        assert not changed[:, right // step :].any()
        assert not changed[500 // step :].any()


def test_the_base_may_be_read_only_and_memory_mapped(tmp_path) -> None:
    face = portrait()
    np.save(tmp_path / "pictures.npy", face.picture[None])
    mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r")[0]
    output = face.renderer.paint(EH, mapped, face.geometry)
    assert np.array_equal(output, paint(face, EH))
    assert type(output) is np.ndarray


@FACES
def test_painting_is_repeatable_and_leaves_the_base_alone(face) -> None:
    before = face.picture.copy()
    first = paint(face, AA)
    paint(face, PBM)
    assert np.array_equal(paint(face, AA), first)
    assert np.array_equal(face.picture, before)


def test_several_threads_paint_the_same_as_one() -> None:
    faces = (portrait(), toothy())
    scratch = Scratch()
    renderers = [MouthRenderer(face.material, face.geometry.face_width, scratch) for face in faces]
    jobs = [(index % 2, VISEMES[index % len(VISEMES)]) for index in range(48)]

    def run(job):
        which, mouth = job
        return renderers[which].paint(mouth, faces[which].picture, faces[which].geometry)

    expected = [run(job) for job in jobs]
    results: list[list[np.ndarray]] = [[] for _ in range(4)]
    start = threading.Barrier(4)

    def work(own: list[np.ndarray]) -> None:
        start.wait()
        own.extend(run(job) for job in jobs)

    threads = [threading.Thread(target=work, args=(own,)) for own in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in results:
        assert all(np.array_equal(got, want) for got, want in zip(own, expected, strict=True))


@FACES
@pytest.mark.parametrize("mouth", VISEMES)
def test_a_fading_mouth_ends_in_the_base_picture_without_a_jump(face, mouth) -> None:
    """As after speech: the parameters shrink to nothing; no step is larger than the steps about it."""
    pictures = [
        planes_of(paint(face, MouthParameters(*(weight * value for value in mouth)))).y.astype(int)
        for weight in (0.02, 0.01, 0.004, 0.002, 0.0)
    ]
    steps = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(pictures)]
    assert steps[-1] < 0.06
    assert max(steps) < 0.7
    assert np.array_equal(pictures[-1], planes_of(face.picture).y)


def test_a_gliding_head_does_not_make_the_mouth_jitter() -> None:
    """The same mouth on a head that drifts by quarters of a pixel changes about as little as the head itself."""
    face = portrait()
    bgr = cv2.cvtColor(face.picture, cv2.COLOR_YUV2BGR_I420)
    painted, bases = [], []
    for step in range(9):
        shift = (0.25 * step, 0.15 * step)
        drifted = cv2.warpAffine(
            bgr, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), (512, 512), flags=cv2.INTER_CUBIC
        )
        base = cv2.cvtColor(drifted, cv2.COLOR_BGR2YUV_I420)
        geometry = measure_face(face.landmarks + np.float32(shift), face.material["lip_inset"])
        output = face.renderer.paint(EH, base, geometry)
        bases.append(planes_of(base).y.astype(int))
        painted.append(planes_of(output).y.astype(int))
    mouth = slice(290, 420), slice(180, 330)

    def flicker(pictures):
        return np.array([np.abs(b - a)[mouth].mean() for a, b in itertools.pairwise(pictures)])

    assert flicker(painted).mean() < 1.6 * flicker(bases).mean()
    assert flicker(painted).max() < 1.8 * flicker(painted).mean()


def test_a_face_mesh_reads_the_opening_that_was_asked_for() -> None:
    face, mesh = portrait(), FaceMesh()
    openings = np.linspace(0, 1, 9)
    read = []
    for opening in openings:
        output = paint(face, MouthParameters(opening, 0.2, 0, 0, 0, 0))
        points = mesh.find_one(cv2.cvtColor(output, cv2.COLOR_YUV2BGR_I420), "painted")[:, :2]
        read.append(float(np.hypot(*(points[13] - points[14]))) / face.geometry.lower_face_height)
    assert np.corrcoef(openings, read)[0, 1] > 0.95
    assert read[-1] > 0.15
    assert read[0] < 0.05


@FACES
def test_closed_lips_are_read_as_closed(face) -> None:
    output = paint(face, PBM)
    points = FaceMesh().find_one(cv2.cvtColor(output, cv2.COLOR_YUV2BGR_I420), "painted")[:, :2]
    assert np.hypot(*(points[13] - points[14])) < 0.06 * face.geometry.lower_face_height


def test_pressed_lips_leave_no_dark_or_bright_slit_on_a_closed_mouth() -> None:
    face = portrait()
    output = planes_of(paint(face, PBM)).y
    targets = face.geometry.to_picture(control_targets(face.geometry, PBM).points)
    line = (targets[INNER_UPPER_ROWS] + targets[INNER_LOWER_ROWS])[2:9] / 2
    for x, y in np.rint(line).astype(int):
        before = planes_of(face.picture).y[y - 4 : y + 5, x].astype(int)
        after = output[y - 4 : y + 5, x].astype(int)
        assert after.min() > before.min() - 20
        assert after.max() < before.max() + 25


def test_working_memory_is_small() -> None:
    scratch = Scratch()
    face = portrait()
    renderer = MouthRenderer(face.material, face.geometry.face_width, scratch)
    for mouth in VISEMES:
        renderer.paint(mouth, face.picture, face.geometry)
    assert scratch.held_bytes() < 3_000_000


def test_material_that_is_not_whole_is_refused_by_name() -> None:
    material = dict(portrait().material)
    del material["tongue"], material["slit"]
    with pytest.raises(ModelError, match="tongue, slit"):
        MouthRenderer(material, 200.0, Scratch())


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("tongue", lambda layer: layer[:0]),
        ("cavity", lambda layer: layer.astype(np.float32)),
        ("slit", lambda colour: colour.astype(str)),
        ("lip_inset", lambda inset: inset.astype(np.float64)),
        ("lip_inset", lambda inset: inset * np.float32(1e30)),
    ],
)
def test_material_that_is_another_is_refused_by_name(key, change) -> None:
    material = dict(portrait().material)
    material[key] = change(material[key])
    with pytest.raises(ModelError, match=f"has another {key}"):
        MouthRenderer(material, 200.0, Scratch())


def test_a_picture_of_another_size_is_refused() -> None:
    face = portrait()
    with pytest.raises(ModelError, match="768"):
        face.renderer.paint(AA, face.picture[:700], face.geometry)
