from pathlib import Path

import numpy as np
import pytest

from models.errors import ModelError
from models.musetalk.dwpose import FACE_POINTS, MIRRORED, DWPose, net_view
from models.musetalk.face_box import ibug_points
from tests.models.musetalk.faces import photograph_points


def test_mirroring_twice_changes_nothing_and_swaps_the_sides() -> None:
    assert [MIRRORED[MIRRORED[point]] for point in range(68)] == list(range(68))
    assert (MIRRORED[0], MIRRORED[8], MIRRORED[36], MIRRORED[48], MIRRORED[57]) == (16, 8, 45, 54, 57)


def test_mirrored_points_are_those_of_the_mirrored_face(golden) -> None:
    points = ibug_points(photograph_points(golden["frame_bgr"].tobytes()))
    centre = points[[27, 30, 8, 51], 0].mean()
    mirrored = points[list(MIRRORED)]
    mirrored[:, 0] = 2 * centre - mirrored[:, 0]
    assert np.abs(mirrored - points).max() < 0.2 * np.ptp(
        points[:, 0]
    )  # faces are symmetric, and this one nearly frontal


@pytest.mark.parametrize(("width", "height"), [(512, 512), (1920, 1080), (300, 900)])
def test_the_net_sees_the_whole_picture_centred_with_room_around_it(width, height) -> None:
    view = net_view(width, height)
    corners = view @ np.array([[0, width], [0, height], [1, 1]])
    assert (corners >= 0).all()
    assert corners.sum(axis=1) == pytest.approx([288, 384])
    free = 1 - np.ptp(corners, axis=1) / (288, 384)
    assert free.min() == pytest.approx(0.2)


def test_a_file_that_is_no_net_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dw-ll_ucoco_384.onnx"
    path.write_bytes(b"not a net")
    with pytest.raises(ModelError, match=r"dw-ll_ucoco_384\.onnx cannot be loaded"):
        DWPose(path)


def write_net(path: Path, points: np.ndarray) -> None:
    """A net of DWPose's shapes that answers with the same points (133, 2), in its own pixels, whatever it sees.

    A point's heat is highest at its bin, by the sum of a constant and of the input times zero.
    """
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes, constants = [], []
    nodes.append(helper.make_node("GlobalAveragePool", ["input"], ["pooled"]))  # (1, 3, 1, 1)
    nodes.append(helper.make_node("Reshape", ["pooled", "shape"], ["row"]))  # (1, 3)
    constants.append(numpy_helper.from_array(np.array([1, 3], np.int64), "shape"))
    outputs = []
    for axis, (name, size) in enumerate((("simcc_x", 576), ("simcc_y", 768))):
        bins = np.arange(size)
        heat = np.exp(-(((bins - 2 * points[:, axis, None]) / 6) ** 2)).astype(np.float32)  # (133, size)
        constants.append(numpy_helper.from_array(np.zeros((3, heat.size), np.float32), f"w{axis}"))
        constants.append(numpy_helper.from_array(heat.reshape(1, -1), f"b{axis}"))
        constants.append(numpy_helper.from_array(np.array([1, 133, size], np.int64), f"s{axis}"))
        nodes.append(helper.make_node("Gemm", ["row", f"w{axis}", f"b{axis}"], [f"flat{axis}"]))
        nodes.append(helper.make_node("Reshape", [f"flat{axis}", f"s{axis}"], [name]))
        outputs.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 133, size]))
    inputs = [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 3, 384, 288])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def test_heat_maps_become_points_of_the_picture(tmp_path: Path, golden) -> None:
    path = tmp_path / "dw-ll_ucoco_384.onnx"
    symmetric = np.tile([143.75, 192.0], (133, 1))  # the mirrored picture is averaged in: only the middle stays
    symmetric[FACE_POINTS, 1] += np.linspace(-60, 60, 68) + np.linspace(-60, 60, 68)[list(MIRRORED)]
    write_net(path, symmetric)
    found = DWPose(path).face_points(golden["frame_bgr"])
    assert found.shape == (68, 2)
    assert found.dtype == np.int32
    view = net_view(512, 512)
    expected = (symmetric[FACE_POINTS] - view[:, 2]) / view[0, 0]
    assert np.abs(found + 0.5 - expected).max() <= 1.7  # half a pixel of the net is one of the picture


def test_a_net_with_other_outputs_is_refused(tmp_path: Path, golden) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "other.onnx"
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["input"], ["heat"])],
        "net",
        [value("input", onnx.TensorProto.FLOAT, [1, 3, 384, 288])],
        [value("heat", onnx.TensorProto.FLOAT, [1, 3, 384, 288])],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    with pytest.raises(ModelError, match="1 outputs"):
        DWPose(path)
