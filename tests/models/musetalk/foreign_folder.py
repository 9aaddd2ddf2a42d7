"""Writes folders as MuseTalk's realtime script leaves them: the golden photograph, moving to the right."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import torch

from models.musetalk.face_box import box_of_points, ibug_points, with_margin
from models.musetalk.jaw_mask import Box, crop_box, draw_labels, face_region, soft_mask
from tests.models.musetalk.faces import photograph_points

BORDER = 64  # pixels around the photograph, so that the cut-out is not the whole picture
STEP = 2  # pixels from frame to frame


def write_foreign_folder(
    folder: Path, photograph: np.ndarray, *, frames: int = 6, there_and_back: bool = True, numpy: bool = True
) -> np.ndarray:
    """`photograph`: (512, 512, 3). Returns the latents (frames, 8, 32, 32) of the frames."""
    for name in ("full_imgs", "mask", "vid_output"):
        (folder / name).mkdir(parents=True)
    framed = cv2.copyMakeBorder(photograph, *[BORDER] * 4, cv2.BORDER_REPLICATE)
    points = photograph_points(photograph.tobytes()) + BORDER
    box = with_margin(box_of_points(ibug_points(points)), framed.shape[1], framed.shape[0])
    latents = np.random.default_rng(4).normal(size=(frames, 8, 32, 32)).astype(np.float32)
    number = np.int64 if numpy else int
    boxes, crops, rows = [], [], []
    order = [*range(frames), *(reversed(range(frames)) if there_and_back else ())]
    for index, frame in enumerate(order):
        moved = np.roll(framed, STEP * frame, axis=1)
        placed = Box(*(edge + (STEP * frame if side % 2 == 0 else 0) for side, edge in enumerate(box)))
        crop = crop_box(placed)
        labels = draw_labels(points + np.float32((STEP * frame, 0)), crop)
        mask = soft_mask(face_region(labels), placed, crop)
        cv2.imwrite(str(folder / "full_imgs" / f"{index:08d}.png"), moved)
        cv2.imwrite(str(folder / "mask" / f"{index:08d}.png"), mask)
        boxes.append([number(edge) for edge in placed])
        crops.append([number(edge) for edge in crop])
        rows.append(torch.from_numpy(latents[frame])[None].half())
    (folder / "coords.pkl").write_bytes(pickle.dumps(boxes))
    (folder / "mask_coords.pkl").write_bytes(pickle.dumps(crops))
    torch.save(rows, folder / "latents.pt")
    (folder / "avator_info.json").write_text(
        json.dumps({"avatar_id": "anna", "video_path": "anna.mp4", "version": "v15"})
    )
    return latents.astype(np.float16).astype(np.float32)
