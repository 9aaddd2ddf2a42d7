"""All kinds of face by name: those that an avatar can be made of, and those that are refused, with the reason.

Owns the two tables and how variants are put together.
"""

from collections.abc import Callable

from tests.faces import obstacles, variants
from tests.faces.strokes import Picture, Points
from tests.faces.turned import turned

Variant = Callable[[Picture, Points], Picture]


def turned_by(yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Variant:
    """A head turned to the picture's right and upwards."""
    return lambda picture, points: turned(picture, points, yaw_deg, pitch_deg)


def both(*variants: Variant) -> Variant:
    """One after the other."""

    def painted(picture: Picture, points: Points) -> Picture:
        for variant in variants:
            picture = variant(picture, points)
        return picture

    return painted


def plain(picture: Picture, points: Points) -> Picture:
    """The portrait as it is, without its drawn contours: a photo like any other."""
    return picture


# what an avatar can be made of
USABLE: dict[str, Variant] = {
    "plain": plain,
    "thin glasses": variants.thin_glasses,
    "glasses": variants.glasses,
    "sunglasses": variants.sunglasses,
    "moustache": variants.moustache,
    "stubble": variants.stubble,
    "beard": variants.beard,
    "black beard": variants.black_beard,
    "long grey beard": variants.long_grey_beard,
    "light skin": variants.light_skin,
    "dark skin": variants.dark_skin,
    "very dark skin": variants.very_dark_skin,
    "dark, beard, glasses": both(variants.dark_skin, variants.black_beard, variants.glasses),
    "lipstick": variants.lipstick,
    "teeth": variants.smile,
    "teeth, dark skin": both(variants.smile, variants.dark_skin),
    "hair over the jaw": variants.hair_over_jaw,
    "25 degrees left": turned_by(-25),
    "25 degrees right": turned_by(25),
    "15 degrees up": turned_by(0, 15),
    "15 degrees down": turned_by(0, -15),
}

# what is refused, and words that the reason holds
REFUSED: dict[str, tuple[Variant, str]] = {
    "medical mask": (obstacles.face_mask, "mouth is hidden"),
    "microphone": (obstacles.microphone, "mouth is hidden"),
    "hand": (obstacles.hand, "mouth is hidden"),
    "scarf": (obstacles.scarf, "mouth is hidden"),
    "red cloth": (obstacles.cloth((30, 30, 160), 164), "mouth is hidden"),
    "red cloth, lower": (obstacles.cloth((30, 30, 160), 37), "mouth is hidden"),
    "grey cloth": (obstacles.cloth((60, 60, 60), 37), "mouth is hidden"),
    "checked cloth": (obstacles.patterned_cloth(2, 0.13, checks=True), "mouth is hidden"),
    "striped cloth": (obstacles.patterned_cloth(37, 0.22), "mouth is hidden"),
    "half the mouth": (obstacles.half_mouth, "mouth is hidden"),
    "beard over the mouth": (variants.beard_over_mouth, "mouth is hidden"),
    "wide open": (variants.wide_open, "mouth is wide open"),
    "blurred": (obstacles.blurred, "blurred"),
    "overexposed": (obstacles.overexposed, "overexposed"),
    "underexposed": (obstacles.underexposed, "underexposed"),
    "45 degrees": (turned_by(45), "turned to the side"),
    "45 degrees up": (turned_by(0, 45), "turned up or down"),
}
