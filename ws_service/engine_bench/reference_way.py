"""MuseTalk's own way from tokens and latents to finished pictures, to compare with.

Written after what its realtime script does, in order: the nets run eagerly in half precision as diffusers makes them,
the decoded faces are copied to the host as float32 and become 8 bits there, and each is scaled, pasted and blended onto
a copy of its picture on the CPU, one after the other. The script blends on a thread beside the nets, so both parts are
timed on their own, too.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.musetalk.blending import FaceMask
from models.musetalk.jaw_mask import Box, crop_box
from models.musetalk.nets import load_nets


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceFrame:
    """One base picture as the reference caches it: (H, W, 3) BGR, face box, mask of the crop and the crop's place."""

    picture: NDArray[np.uint8]
    box: Box
    mask: NDArray[np.uint8]
    crop: Box

    @classmethod
    def of(cls, picture: NDArray[np.uint8], face_mask: FaceMask) -> "ReferenceFrame":
        """From our mask, which is of the picture, not of the crop."""
        crop, area = crop_box(face_mask.box), face_mask.area
        mask = np.zeros((crop.height, crop.width), np.uint8)
        top, left = area.top - crop.top, area.left - crop.left
        mask[top : top + area.height, left : left + area.width] = face_mask.luma
        return cls(picture, face_mask.box, mask, crop)


class ReferenceWay:
    """The nets as the libraries make them, without anything that the engine does to make them fast."""

    def __init__(self, model_path: Path, device: torch.device, dtype: torch.dtype) -> None:
        nets = load_nets(model_path, device, dtype, fused=False)
        plain = torch.contiguous_format  # which is how the reference leaves them
        self._unet, self._vae = (net.to(memory_format=plain) for net in (nets.unet, nets.vae))
        self._positions = nets.positions
        self._timestep = torch.zeros(1, device=device)

    def faces(self, tokens: torch.Tensor, latents: torch.Tensor) -> NDArray[np.uint8]:
        """Tokens (B, 50, 384) without positions, latents (B, 8, 32, 32) -> faces (B, 256, 256, 3) BGR on the host."""
        with torch.inference_mode():
            tokens = tokens + self._positions
            predicted = self._unet(latents, self._timestep, encoder_hidden_states=tokens).sample  # (B, 4, 32, 32)
            decoded = self._vae.decode(predicted / self._vae.config.scaling_factor).sample  # (B, 3, 256, 256), -1..1
            shares = (decoded / 2 + 0.5).clamp(0, 1).float().cpu().permute(0, 2, 3, 1).numpy()  # RGB
        return np.asarray((shares * 255).round().astype(np.uint8)[..., ::-1])

    def pictures(
        self, tokens: torch.Tensor, latents: torch.Tensor, frames: list[ReferenceFrame]
    ) -> list[NDArray[np.uint8]]:
        """The whole way: finished pictures (H, W, 3) BGR in host memory."""
        return [blend(face, frame) for face, frame in zip(self.faces(tokens, latents), frames, strict=True)]


def blend(face: NDArray[np.uint8], frame: ReferenceFrame) -> NDArray[np.uint8]:
    """A copy of the picture with the face (256, 256, 3) in it, by way of the picture library, whole pictures each."""
    box, crop = frame.box, frame.crop
    body = Image.fromarray(np.ascontiguousarray(frame.picture.copy()[:, :, ::-1]))
    scaled = np.asarray(cv2.resize(face, (box.width, box.height)), np.uint8)
    square = body.crop(crop)
    square.paste(Image.fromarray(np.ascontiguousarray(scaled[:, :, ::-1])), (box.left - crop.left, box.top - crop.top))
    body.paste(square, (crop.left, crop.top), Image.fromarray(frame.mask).convert("L"))
    return np.array(body)[:, :, ::-1]
