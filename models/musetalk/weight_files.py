"""Which files MuseTalk reads, where they lie, where they come from and what is lost without them.

The layout is the one that MuseTalk's own download scripts make, so a folder that works there works here. This module
reads no file and imports no torch: the service asks it whether MuseTalk can run at all.
"""

from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a model repository on the hub, and the folder under the weights' root that mirrors the repository."""

    repository: str
    name: str
    folder: str = "."

    @property
    def path(self) -> str:
        """Where the file lies under the weights' root once fetched."""
        return (Path(self.folder) / self.name).as_posix()


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file that MuseTalk reads: the first of `paths` (under the weights' root) that exists is the one used."""

    name: str
    purpose: str
    paths: tuple[str, ...]
    hub: tuple[HubFile, ...]  # the first that the hub has is fetched
    needed: bool = True
    without_it: str = "MuseTalk cannot run"
    on_request: bool = False  # fetched only when asked for

    def find(self, root: Path) -> Path | None:
        """The file in the folder of weights, or None."""
        return next((root / path for path in self.paths if (root / path).is_file()), None)

    def require(self, root: Path) -> Path:
        """The file in the folder of weights. Raises `ModelError` naming it where it is missing."""
        found = self.find(root)
        if found is None:
            option = " --tiny-decoder" if self.on_request else ""
            raise ModelError(
                f"{root / self.paths[0]} ({self.purpose}) is missing; `musetalk weights fetch{option}` downloads it"
            )
        return found


UNET_CONFIG = WeightFile(
    "UNet configuration",
    "sizes of the UNet",
    ("musetalkV15/musetalk.json",),
    (HubFile("TMElyralab/MuseTalk", "musetalkV15/musetalk.json"),),
)
UNET = WeightFile(
    "UNet",
    "draws the mouth in latent space",
    ("musetalkV15/unet.pth", "musetalkV15/unet.safetensors"),
    (HubFile("TMElyralab/MuseTalk", "musetalkV15/unet.pth"),),
)
VAE_CONFIG = WeightFile(
    "VAE configuration",
    "sizes of the VAE",
    ("sd-vae/config.json", "sd-vae-ft-mse/config.json"),
    (HubFile("stabilityai/sd-vae-ft-mse", "config.json", "sd-vae"),),
)
VAE = WeightFile(
    "VAE",
    "turns pictures into latents and back",
    tuple(
        f"{folder}/diffusion_pytorch_model.{ending}"
        for folder in ("sd-vae", "sd-vae-ft-mse")
        for ending in ("safetensors", "bin")
    ),
    (
        HubFile("stabilityai/sd-vae-ft-mse", "diffusion_pytorch_model.safetensors", "sd-vae"),
        HubFile("stabilityai/sd-vae-ft-mse", "diffusion_pytorch_model.bin", "sd-vae"),
    ),
)
WHISPER_CONFIG = WeightFile(
    "Whisper configuration",
    "sizes of the audio encoder",
    ("whisper/config.json",),
    (HubFile("openai/whisper-tiny", "config.json", "whisper"),),
)
WHISPER = WeightFile(
    "Whisper",
    "hears the speech (encoder only)",
    ("whisper/model.safetensors", "whisper/pytorch_model.bin"),
    (
        HubFile("openai/whisper-tiny", "model.safetensors", "whisper"),
        HubFile("openai/whisper-tiny", "pytorch_model.bin", "whisper"),
    ),
)
TINY_VAE_CONFIG = WeightFile(
    "tiny decoder's configuration",
    "sizes of the tiny decoder",
    ("taesd/config.json",),
    (HubFile("madebyollin/taesd", "config.json", "taesd"),),
    needed=False,
    without_it="VAE_DECODER=tiny cannot be chosen",
    on_request=True,
)
TINY_VAE = WeightFile(
    "tiny decoder",
    "turns latents into pictures in a fraction of the time, a little less sharp (VAE_DECODER=tiny)",
    ("taesd/diffusion_pytorch_model.safetensors", "taesd/diffusion_pytorch_model.bin"),
    (HubFile("madebyollin/taesd", "diffusion_pytorch_model.safetensors", "taesd"),),
    needed=False,
    without_it="VAE_DECODER=tiny cannot be chosen",
    on_request=True,
)
FACE_PARSING = WeightFile(
    "face parsing",
    "finds jaw, lips and nose when an avatar is prepared",
    ("face-parse-bisent/79999_iter.pth",),
    (HubFile("ManyOtherFunctions/face-parse-bisent", "79999_iter.pth", "face-parse-bisent"),),
    needed=False,
    without_it="jaw masks come from landmarks, a little less exact at the jaw's edge",
)
DWPOSE = WeightFile(
    "DWPose",
    "finds the face's 68 points when an avatar is prepared",
    ("dwpose/dw-ll_ucoco_384.onnx",),
    (HubFile("yzd-v/DWPose", "dw-ll_ucoco_384.onnx", "dwpose"),),
    needed=False,
    without_it=(
        "the face box comes from the built-in face mesh, a few pixels off MuseTalk's own"
        " (the .pth of the same name needs mmpose and is not read)"
    ),
)

WEIGHT_FILES = (
    UNET_CONFIG,
    UNET,
    VAE_CONFIG,
    VAE,
    WHISPER_CONFIG,
    WHISPER,
    FACE_PARSING,
    DWPOSE,
    TINY_VAE_CONFIG,
    TINY_VAE,
)
USUAL_FILES = tuple(file for file in WEIGHT_FILES if not file.on_request)


def missing_files(root: Path) -> list[WeightFile]:
    """The files without which MuseTalk cannot run and that are not in this folder; empty where all are there."""
    return [file for file in WEIGHT_FILES if file.needed and file.find(root) is None]
