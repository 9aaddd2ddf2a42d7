"""What a MuseTalk service needs, so small that it starts in seconds on a CPU: weights by formula and a short avatar."""

from pathlib import Path

import cv2
import torch

from models.preparation.crop import choose_crop
from models.preparation.face_mesh import FaceMesh
from models.preparation.idle_motion import idle_pose
from models.preparation.still import Shot, Still
from models.prepared_avatar import AvatarWriter
from tests.models.musetalk import tiny_checkpoint

PORTRAIT = Path(tiny_checkpoint.__file__).parents[3] / "models" / "preparation" / "builtin" / "portrait.png"
CONTRAST = 0.2  # of the faces: more noise would leave the video encoder no bits for the rest of the picture
POSES = 13  # shown there and back: 25 frames, and a loop that closes

# smaller still than the checkpoint of the golden arrays; what is left of the cost is Whisper's, whose sizes are fixed
UNET_CONFIG = tiny_checkpoint.UNET_CONFIG | {
    "block_out_channels": [8, 8],
    "norm_num_groups": 4,
    "attention_head_dim": 2,
}
VAE_CONFIG = tiny_checkpoint.VAE_CONFIG | {"block_out_channels": [4, 4, 4, 4], "norm_num_groups": 4}
WHISPER_CONFIG = tiny_checkpoint.WHISPER_CONFIG | {"encoder_ffn_dim": 8}


def write_weights(root: Path) -> None:
    """A folder of weights in MuseTalk's layout, whose faces are grey with a little noise."""
    tiny_checkpoint.write_checkpoint(root, UNET_CONFIG, VAE_CONFIG, WHISPER_CONFIG)
    vae = root / "sd-vae/diffusion_pytorch_model.bin"
    tensors = torch.load(vae, weights_only=True)
    tensors["decoder.conv_out.weight"] *= CONTRAST
    torch.save(tensors, vae)


def write_avatar(folder: Path) -> None:
    """The built-in portrait with a second of movement, which every video of it shows."""
    portrait = cv2.imread(str(PORTRAIT))
    points = FaceMesh().find_one(portrait, "the portrait")
    still = Still(portrait, points, choose_crop(points, portrait.shape[1], portrait.shape[0]))
    drawn = list(still.draw_all([Shot(idle_pose(index), 0.0) for index in range(POSES)]))
    with AvatarWriter(folder) as writer:
        idle = writer.new_video("idle_0", 2 * POSES - 1)
        for index, (picture, landmarks) in enumerate([*drawn, *drawn[:0:-1]]):
            idle.pictures[index], idle.landmarks[index] = picture, landmarks
        for name in ("speaking_0", "action_1", "action_2"):
            writer.same_video(name, idle)
        writer.publish(folder.name, same_pose=True, material={})
