import json
from pathlib import Path

import pytest

from models.errors import PreparationError
from models.preparation.prepare import AvatarOrder, prepare
from models.preparation.steadying import Steadying

ORDERS = [
    AvatarOrder(image=Path("a.png")),
    AvatarOrder(clips={"idle_0": Path("a.mp4"), "action_1": Path("b.mp4")}, steadying=Steadying(tracking=False)),
    AvatarOrder(recording=Path("r.mp4"), actions={"action_1": (1.0, 2.5)}),
]


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_comes_through_json(order):
    assert AvatarOrder.from_json(json.loads(json.dumps(order.as_json()))) == order


@pytest.mark.parametrize("order", ORDERS)
def test_each_kind_is_prepared_from_its_own_file(order, tmp_path):
    with pytest.raises(PreparationError, match=r"^(a\.png|b\.mp4|r\.mp4): "):
        prepare(order, "anna", tmp_path / "anna")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "fields", [{}, {"image": Path("a"), "recording": Path("b")}, {"image": Path("a"), "actions": {"action_1": (1, 2)}}]
)
def test_an_order_is_of_one_kind(fields):
    with pytest.raises(PreparationError):
        AvatarOrder(**fields)
