"""Face parsing: which of 19 regions (skin, lips, nose, neck, hair ...) every pixel of a face's picture belongs to.

The network is BiSeNet (Yu et al. 2018, "Bilateral Segmentation Network") on ResNet-18 as trained on CelebAMask-HQ; the
modules' names are those of its published file `79999_iter.pth`. It runs when an avatar is prepared, never while it
speaks. The two heads that served its training are not read.
"""

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from models.musetalk.weight_files import FACE_PARSING
from models.musetalk.weights import load_weights, read_tensors, without_values

LABELS = 19

_TRAINING_HEADS = ("conv_out16.", "conv_out32.")
# of ImageNet's pictures, 0..1, RGB: what the ResNet was first trained on
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class ConvBnRelu(nn.Module):
    """Convolution, batch norm, ReLU. Keeps height and width at stride 1."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return F.relu(self.bn(self.conv(x)))


class BasicBlock(nn.Module):
    """ResNet's block of two convolutions with a way past them (He et al. 2015)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    """The trunk, without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # noqa: D102
        x = F.relu(self.bn1(self.conv1(x)))  # (B, 64, H/2, W/2)
        x = self.layer1(F.max_pool2d(x, 3, stride=2, padding=1))  # (B, 64, H/4, W/4)
        eighth = self.layer2(x)  # (B, 128, H/8, W/8)
        sixteenth = self.layer3(eighth)  # (B, 256, H/16, W/16)
        return eighth, sixteenth, self.layer4(sixteenth)  # (B, 512, H/32, W/32)


class AttentionRefinement(nn.Module):
    """Features weighted by what the whole picture shows."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = ConvBnRelu(channels_in, channels_out)
        self.conv_atten = nn.Conv2d(channels_out, channels_out, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        x = self.conv(x)
        weight = self.bn_atten(self.conv_atten(x.mean((2, 3), keepdim=True)))  # (B, C, 1, 1)
        return x * weight.sigmoid()


class ContextPath(nn.Module):
    """The trunk, and on its way back up what the coarser levels know."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvBnRelu(128, 128)
        self.conv_head16 = ConvBnRelu(128, 128)
        self.conv_avg = ConvBnRelu(512, 128, kernel=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: D102
        eighth, sixteenth, thirty_second = self.resnet(x)
        whole = self.conv_avg(thirty_second.mean((2, 3), keepdim=True))  # (B, 128, 1, 1)
        coarse = self.arm32(thirty_second) + whole  # (B, 128, H/32, W/32)
        coarse = self.conv_head32(F.interpolate(coarse, sixteenth.shape[2:]))  # (B, 128, H/16, W/16)
        middle = self.arm16(sixteenth) + coarse
        return eighth, self.conv_head16(F.interpolate(middle, eighth.shape[2:]))  # both (B, 128, H/8, W/8)


class FeatureFusion(nn.Module):
    """Joins the fine features and the context."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convblk = ConvBnRelu(channels, channels, kernel=1)
        self.conv1 = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(channels // 4, channels, 1, bias=False)

    def forward(self, fine: torch.Tensor, context: torch.Tensor) -> torch.Tensor:  # noqa: D102
        x = self.convblk(torch.cat([fine, context], dim=1))  # (B, C, H/8, W/8)
        weight = self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True)))).sigmoid()  # (B, C, 1, 1)
        return x + x * weight


class Head(nn.Module):
    """Features to a score per label."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvBnRelu(channels, channels)
        self.conv_out = nn.Conv2d(channels, LABELS, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.conv_out(self.conv(x))


class FaceParsingNet(nn.Module):
    """BiSeNet: normalised RGB `(B, 3, H, W)` to scores `(B, 19, H, W)`; H and W divisible by 32."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = FeatureFusion(256)
        self.conv_out = Head(256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        scores = self.conv_out(self.ffm(*self.cp(x)))  # (B, 19, H/8, W/8)
        return F.interpolate(scores, x.shape[2:], mode="bilinear", align_corners=True)

    @torch.inference_mode()
    def scores(self, rgb: torch.Tensor) -> torch.Tensor:
        """Pictures `(B, 512, 512, 3) uint8`, RGB -> scores `(B, 19, 512, 512) float32`."""
        weight = self.conv_out.conv_out.weight
        mean, deviation = (torch.tensor(v, device=weight.device)[:, None, None] for v in (_MEAN, _DEVIATION))
        x = rgb.to(weight.device).permute(0, 3, 1, 2).float() / 255  # (B, 3, 512, 512)
        return self(((x - mean) / deviation).to(weight.dtype)).float()

    @torch.inference_mode()
    def labels(self, rgb: torch.Tensor) -> torch.Tensor:
        """Pictures `(B, 512, 512, 3) uint8`, RGB -> the label of every pixel, `(B, 512, 512) uint8`."""
        return self.scores(rgb).argmax(1).to(torch.uint8)


def build_face_parsing(source: Path) -> FaceParsingNet:
    """The network without values; `source` is named in errors."""
    return without_values(FaceParsingNet, source)


def parsing_tensors(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A file's tensors without those of the heads that only training used."""
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(_TRAINING_HEADS)}


def load_face_parsing(
    root: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> FaceParsingNet:
    """Face parsing of the folder of weights `root`. Raises `ModelError` naming file and key."""
    path = FACE_PARSING.require(root)
    return load_weights(
        build_face_parsing(path), parsing_tensors(read_tensors(path)), path, torch.device(device), dtype
    )
