"""What stays in memory: budget, time, pins. No avatar, no clock: names and numbers."""

import random

from ws_service.avatars.cache import AvatarCache, CacheEntry


def names(entries: list[CacheEntry[str]]) -> list[str]:
    return [entry.name for entry in entries]


def filled(budget: int, *names: str, ttl_s: float = 0.0) -> AvatarCache[str]:
    """Entries of 10 bytes each, put at 0, 1, 2 ... s."""
    cache = AvatarCache[str](budget, ttl_s)
    for now_s, name in enumerate(names):
        cache.put(name, f"value of {name}", 10, now_s)
    return cache


def test_over_the_budget_the_longest_unused_goes() -> None:
    cache = filled(20, "a", "b", "c")
    a = cache.find("a")
    assert a is not None
    cache.hit(a, 3)
    assert names(cache.evict(3)) == ["b"]
    assert (cache.size_bytes, names(cache.entries())) == (20, ["c", "a"])
    assert cache.evict(3) == []
    assert (cache.counts.hits, cache.counts.misses, cache.counts.evictions) == (1, 0, 1)


def test_what_is_pinned_stays_whatever_it_takes_and_the_last_to_be_let_go_stays_longest() -> None:
    cache = filled(10, "a", "b")
    a, b = cache.entries()
    cache.pin(a)
    cache.pin(b)
    assert cache.evict(2) == []
    cache.unpin(b, 3)
    cache.unpin(a, 4)
    assert names(cache.evict(4)) == ["b"]


def test_sizes_are_what_counts_not_the_number() -> None:
    cache = AvatarCache[str](100)
    cache.put("large", "", 90, 0)
    for number in range(10):
        cache.put(f"small {number}", "", 1, number)
    assert cache.evict(10) == []
    cache.put("medium", "", 40, 11)
    assert names(cache.evict(11)) == ["large"]
    cache.put("too large", "", 200, 12)
    assert len(cache.evict(12)) == 12, "unused, it goes itself in the end"


def test_what_nobody_has_used_for_a_while_expires_and_the_cache_says_when() -> None:
    cache = filled(100, "a", "b", ttl_s=60)
    a, b = cache.entries()
    assert cache.next_expiry_s() == 60
    cache.pin(a)
    assert cache.next_expiry_s() == 61
    assert names(cache.evict(61)) == ["b"]
    assert cache.next_expiry_s() is None
    cache.unpin(a, 500)
    assert cache.evict(501) == []
    assert cache.next_expiry_s() == 560
    assert names(cache.evict(560)) == ["a"]
    assert cache.counts.expirations == 2
    assert b.listed is False


def test_without_a_time_nothing_expires() -> None:
    cache = filled(100, "a")
    assert cache.next_expiry_s() is None
    assert cache.evict(10**9) == []


def test_what_is_replaced_while_it_is_used_is_found_no_more_and_goes_with_its_last_user() -> None:
    cache = filled(100, "a")
    (old,) = cache.entries()
    cache.pin(old)
    new = cache.put("a", "another", 10, 1)
    assert cache.find("a") is new
    assert cache.size_bytes == 20, "the old one is still there"
    assert cache.evict(2) == []
    cache.unpin(old, 3)
    assert cache.evict(3) == [old]
    assert names(cache.entries()) == ["a"]


def test_what_is_removed_is_given_back_once() -> None:
    cache = filled(100, "a", "b")
    assert cache.remove("a")
    assert not cache.remove("a")
    assert names(cache.evict(2)) == ["a"]
    assert cache.evict(2) == []


def test_under_random_use_the_budget_holds_for_all_but_what_is_pinned() -> None:
    rng = random.Random(5)
    cache, pinned = AvatarCache[str](200, ttl_s=30), list[CacheEntry[str]]()
    for now_s in range(3000):
        name = f"avatar {rng.randrange(60)}"
        entry = cache.find(name)
        if entry is None:
            cache.miss()
            entry = cache.put(name, "", rng.randrange(1, 40), now_s)
        else:
            cache.hit(entry, now_s)
        cache.pin(entry)
        pinned.append(entry)
        while len(pinned) > rng.randrange(1, 6):
            cache.unpin(pinned.pop(rng.randrange(len(pinned))), now_s)
        gone = cache.evict(now_s)
        assert not any(entry.pins for entry in gone)
        unused = sum(entry.size_bytes for entry in cache.entries() if not entry.pins)
        assert unused == 0 or cache.size_bytes <= 200
        assert all(now_s < entry.used_s + 30 for entry in cache.entries() if not entry.pins)
    assert cache.counts.hits + cache.counts.misses == 3000
