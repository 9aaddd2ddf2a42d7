import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from models.errors import ModelError  # noqa: E402
from models.musetalk.face_parsing import FaceParsingNet, build_face_parsing, load_face_parsing  # noqa: E402
from tests.models.musetalk.closeness import relative_error  # noqa: E402
from tests.models.musetalk.tiny_checkpoint import GOLDEN, face_parsing_tensors  # noqa: E402


@pytest.fixture(scope="module")
def net(face_parsing_weights: Path) -> FaceParsingNet:
    return load_face_parsing(face_parsing_weights)


def test_names_and_shapes_are_the_published_files_less_the_training_heads() -> None:
    published = json.loads((GOLDEN / "bisenet_keys.json").read_text())
    ours = {key: list(tensor.shape) for key, tensor in build_face_parsing(Path("file")).state_dict().items()}
    assert ours == {key: shape for key, shape in published.items() if not key.startswith(("conv_out16", "conv_out32"))}


def test_scores_and_labels_are_the_references(net: FaceParsingNet, golden: dict) -> None:
    picture = torch.from_numpy(golden["bisenet_input"])[None]
    scores = net.scores(picture)
    assert scores.shape == (1, 19, 512, 512)
    assert relative_error(scores[0, :, ::8, ::8].numpy(), golden["bisenet_logits_ds8"]) < 1e-3
    labels = net.labels(picture)[0].numpy()
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, golden["bisenet_labels"])


def test_a_picture_is_parsed_the_same_in_a_batch(net: FaceParsingNet, golden: dict) -> None:
    picture = torch.from_numpy(golden["bisenet_input"])
    both = net.labels(torch.stack([picture.flip(1), picture]))
    assert np.array_equal(both[1].numpy(), golden["bisenet_labels"])
    assert not torch.equal(both[0], both[1])


def test_a_file_of_torchs_old_format_reads_the_same(net: FaceParsingNet, golden: dict, tmp_path: Path) -> None:
    path = tmp_path / "face-parse-bisent/79999_iter.pth"
    path.parent.mkdir()
    torch.save(face_parsing_tensors(), path, _use_new_zipfile_serialization=False)
    old = load_face_parsing(tmp_path)
    for key, tensor in net.state_dict().items():
        assert torch.equal(old.state_dict()[key], tensor), key


def test_the_trunk_alone_is_refused_by_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "face-parse-bisent/79999_iter.pth"
    path.parent.mkdir()
    torch.save({key: value for key, value in face_parsing_tensors().items() if key.startswith("cp.resnet")}, path)
    with pytest.raises(ModelError, match=r"79999_iter\.pth lacks the key 'cp\.arm16\.conv\.conv\.weight' and \d+ more"):
        load_face_parsing(tmp_path)
