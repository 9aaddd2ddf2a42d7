"""An INIT on its way: what is asked of the avatars, and who releases what comes."""

import asyncio

import pytest

from protocol.client_messages import Init
from tests.fakes.avatars import FakeAvatars, make_avatar
from tests.virtual_time import run_virtual
from tests.ws_service.session.stage import USER, init
from ws_service.errors import AvatarNotFound, InvalidMessage
from ws_service.session.pending_init import PendingInit


def pending(avatars: FakeAvatars, **data: object) -> tuple[PendingInit, list[bool]]:
    message, woken = init(**data), []
    assert isinstance(message, Init)
    return PendingInit(message, USER, avatars, lambda: woken.append(True)), woken


def test_the_avatar_comes_beside_the_stream_and_wakes_the_session_once():
    async def scene():
        avatars = FakeAvatars(load_s=1.0)
        one, woken = pending(avatars, video_config={"all_intra": True})
        await asyncio.sleep(0.5)
        assert (one.done, woken) == (False, [])
        await asyncio.sleep(1.0)
        assert (one.done, woken) == (True, [True])
        held = one.avatar()
        assert held is avatars.held[0]
        assert avatars.held[0].all_intra
        assert avatars.users == 1, "it is the caller's"

    run_virtual(scene())


@pytest.mark.parametrize(
    ("data", "name"), [({}, USER), ({"avatar_id": "bert"}, "bert"), ({"avatar_id": "default"}, "default")]
)
def test_without_a_name_it_is_the_users_own_avatar(data, name):
    async def scene():
        avatars = FakeAvatars(*map(make_avatar, ("default", USER, "bert")))
        one, _ = pending(avatars, **data)
        await asyncio.sleep(0.1)
        assert one.avatar().avatar.name == name

    run_virtual(scene())


def test_a_name_that_is_given_must_exist_and_the_users_own_need_not():
    async def scene():
        named, _ = pending(FakeAvatars(), avatar_id="nobody")
        own, _ = pending(FakeAvatars())
        await asyncio.sleep(0.1)
        with pytest.raises(AvatarNotFound):
            named.avatar()
        assert own.avatar().avatar.name == "default"

    run_virtual(scene())


def test_another_users_init_loads_nothing():
    async def scene():
        avatars = FakeAvatars()
        with pytest.raises(InvalidMessage) as refused:
            pending(avatars, user_id="somebody_else")
        assert refused.value.details == {"path": "data.user_id"}
        await asyncio.sleep(0.1)
        assert avatars.held == []

    run_virtual(scene())


@pytest.mark.parametrize("dropped_after_s", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("name", ["default", "nobody"])
def test_dropped_at_whatever_time_it_holds_nothing(dropped_after_s, name):
    async def scene():
        avatars = FakeAvatars(load_s=1.0)
        one, _ = pending(avatars, avatar_id=name)
        await asyncio.sleep(dropped_after_s)
        one.drop()
        await asyncio.sleep(2.0)
        assert avatars.users == 0

    run_virtual(scene())
