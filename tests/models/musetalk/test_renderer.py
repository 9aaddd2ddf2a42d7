# ruff: noqa: E402 - without torch this module is skipped
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.errors import EngineLost, ModelError
from models.interface import BaseFrame
from models.musetalk.compositing import Placement, place
from models.musetalk.material import AvatarMaterial, FaceTools, make_material
from models.musetalk.picture_store import RowKey, RowSource
from models.musetalk.renderer import FrameToDraw, Renderer
from models.prepared_avatar import PreparedAvatar
from tests.models.musetalk.closeness import level_errors
from tests.models.musetalk.faces import photo_avatar
from tests.models.musetalk.speech_windows import BASE
from tests.models.musetalk.test_bucket_runner import Replays
from tests.models.musetalk.test_engine import Faulty


@pytest.fixture(scope="module")
def avatar(golden) -> PreparedAvatar:
    return photo_avatar(golden["frame_bgr"])


@pytest.fixture(scope="module")
def material(nets, avatar) -> AvatarMaterial:
    return make_material(avatar, nets, FaceTools())


def frames(avatar, material, count: int, base: BaseFrame = BASE) -> list[FrameToDraw]:
    row = material.row(base)
    mask, source = material.masks[row], RowSource(avatar, material, base)
    return [FrameToDraw(RowKey(0, row), source, Placement(mask.box, mask.area, 1.0)) for _ in range(count)]


def tokens(nets, golden, count: int) -> torch.Tensor:
    return torch.from_numpy(golden["audio_tokens_pe"])[:count] - nets.positions


def test_faces_are_the_references(nets, golden) -> None:
    latents = torch.from_numpy(golden["latents"]).expand(3, 8, 32, 32)
    faces, usable = Renderer(nets).draw(tokens(nets, golden, 3), latents)
    assert usable.tolist() == [True] * 3
    largest, mean = level_errors(faces.numpy(), golden["generated_bgr"][:3])
    assert largest <= 2
    assert mean <= 0.05


def test_stage_by_stage_is_what_rendering_does(nets, avatar, material, golden) -> None:
    renderer = Renderer(nets, picture_budget_bytes=10_000_000)
    to_draw = frames(avatar, material, 2)
    drawn = renderer.render(tokens(nets, golden, 2), to_draw)
    residents = renderer.pictures.of_batch([(frame.key, frame.source) for frame in to_draw])
    faces, _ = renderer.draw(tokens(nets, golden, 2), renderer.latents_of(to_draw, residents))

    placements = place([frame.placement for frame in to_draw], renderer.device)
    pictures = renderer.compose(faces, residents, placements)
    flags, (host_faces, host_pictures) = renderer.to_host(torch.ones(2, dtype=torch.bool), faces, pictures)
    assert flags.tolist() == [True, True]
    for frame, face, picture in zip(drawn, host_faces, host_pictures, strict=True):
        assert frame.usable
        np.testing.assert_array_equal(renderer.face_on_host(frame.face), face)
        np.testing.assert_array_equal(frame.picture, picture)


def test_pictures_on_the_device_are_not_painted_over(nets, avatar, material, golden) -> None:
    renderer = Renderer(nets, picture_budget_bytes=10_000_000)
    first = renderer.render(tokens(nets, golden, 1), frames(avatar, material, 1))[0]
    second = renderer.render(tokens(nets, golden, 1), frames(avatar, material, 1))[0]
    np.testing.assert_array_equal(first.picture, second.picture)
    assert renderer.pictures.uploads == 1


def test_recorded_batches_give_the_same_pictures_and_earlier_ones_keep_theirs(nets, avatar, material, golden) -> None:
    plain, recorded = (Renderer(nets, max_batch=2, picture_budget_bytes=10_000_000) for _ in range(2))
    recorder = Replays()
    recorded.record_graphs(recorder)
    assert recorded.graph_buckets == (1, 2)
    assert recorded.graphs_problem is None
    kept = recorded.render(tokens(nets, golden, 2), frames(avatar, material, 2))
    copies = [(frame.face.clone(), frame.picture.copy()) for frame in kept]
    recorded.render(tokens(nets, golden, 4)[2:], frames(avatar, material, 2))
    assert recorder.replayed == 2
    for frame, expected, (face, picture) in zip(
        kept, plain.render(tokens(nets, golden, 2), frames(avatar, material, 2)), copies, strict=True
    ):
        np.testing.assert_array_equal(face, expected.face)
        np.testing.assert_array_equal(face, frame.face)
        np.testing.assert_array_equal(picture, expected.picture)
        np.testing.assert_array_equal(picture, frame.picture)


def test_each_frame_crosses_the_bus_once_as_its_picture_or_else_as_its_face(
    nets, avatar, material, golden, monkeypatch
) -> None:
    renderer = Renderer(nets, picture_budget_bytes=700_000)  # room for one base picture
    crossed = []

    def counted(flags, *batches, to_host=renderer.to_host):
        rows, arrays = to_host(flags, *batches)
        crossed.extend(array.shape for batch in arrays for array in batch)
        return rows, arrays

    monkeypatch.setattr(renderer, "to_host", counted)
    bases = [BaseFrame("idle_0", index) for index in (1, 0, 1, 2)]
    shown = [frame for base in bases for frame in frames(avatar, material, 1, base)]
    drawn = renderer.render(tokens(nets, golden, 4), shown)
    assert [frame.picture is not None for frame in drawn] == [True, False, True, False]
    assert [isinstance(frame.face, torch.Tensor) for frame in drawn] == [True, False, True, False]
    assert crossed == [(768, 512)] * 2 + [(256, 256, 3)] * 2
    monkeypatch.undo()
    expected = Renderer(nets).render(tokens(nets, golden, 4), shown)
    for one, other in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(renderer.face_on_host(one.face), other.face)


def test_a_face_that_the_device_does_not_give_out_is_an_error_of_one_picture(nets) -> None:
    face = torch.zeros((256, 256, 3), dtype=torch.uint8, device="meta")  # a device that never gives anything out
    with pytest.raises(ModelError, match="face cannot be copied from the device"):
        Renderer(nets).face_on_host(face)


def test_more_segments_than_a_batch_holds_are_heard_in_parts(nets) -> None:
    mel = torch.linspace(-1, 1, 3 * 80 * 3000).view(3, 80, 3000)
    renderer = Renderer(nets, max_batch=1)
    parts = renderer.hidden_states(mel)
    assert parts.shape == (3, 1500, 5, 384)
    torch.testing.assert_close(parts, nets.hidden_states(mel), rtol=1e-4, atol=1e-4)


def test_out_of_memory_while_recording_leaves_the_smaller_batches(nets) -> None:
    class SmallCard(Replays):
        def record(self, work):
            outputs = super().record(work)
            if len(outputs[1][0]) > 2:
                raise torch.OutOfMemoryError("too much")
            return outputs

    renderer = Renderer(Faulty(nets, predict_latents=lambda tokens, latents: latents[:, :4]), max_batch=4)
    renderer.record_graphs(SmallCard())
    assert renderer.max_batch == 2
    assert renderer.graph_buckets == (1, 2)


def test_pictures_give_way_where_graphs_have_no_room_beside_them(nets, avatar, material) -> None:
    class FullCard(Replays):
        def record(self, work):
            if renderer.pictures.size_bytes:
                raise torch.OutOfMemoryError("too much")
            return super().record(work)

    faulty = Faulty(nets, predict_latents=lambda tokens, latents: latents[:, :4])
    renderer = Renderer(faulty, max_batch=2, picture_budget_bytes=10_000_000)
    renderer.pictures.upload_ahead(0, avatar, material)
    renderer.record_graphs(FullCard())
    assert renderer.pictures.size_bytes == renderer.pictures.budget_bytes == 0
    assert renderer.graph_buckets == (1,)


def test_graphs_that_cannot_be_recorded_are_named_and_done_without(nets, golden) -> None:
    renderer = Renderer(nets, max_batch=2)
    renderer.record_graphs(Replays(fails_at=1))
    assert renderer.graphs_problem == "capture failed"
    assert renderer.graph_buckets == ()  # all or none
    latents = torch.from_numpy(golden["latents"])
    assert renderer.draw(tokens(nets, golden, 1), latents)[0].shape == (1, 256, 256, 3)


def test_a_card_lost_while_recording_is_told(nets, monkeypatch) -> None:
    renderer = Renderer(nets, max_batch=1)
    monkeypatch.setattr(renderer, "device_answers", lambda: False)
    with pytest.raises(EngineLost, match="capture failed"):
        renderer.record_graphs(Replays(fails_at=1))


def test_batches_are_halved_down_to_one_frame(nets) -> None:
    renderer = Renderer(nets, max_batch=2)
    renderer.record_graphs(Replays())
    renderer.halve_batch("too much")
    assert renderer.max_batch == 1
    assert renderer.graph_buckets == (1,)  # recorded anew
    with pytest.raises(ModelError, match="not enough memory for one frame"):
        renderer.halve_batch("too much")


def test_the_cpu_answers_and_needs_no_warming_up(nets) -> None:
    renderer = Renderer(nets)
    renderer.warm_up()
    assert renderer.device_answers()
    assert renderer.graph_buckets == ()
    assert renderer.pictures.budget_bytes == 0
