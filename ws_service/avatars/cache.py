"""Which avatars stay in memory: the last used under a budget of bytes, the unused for a while, the used always.

Owns that decision and its figures. Plain and synchronous: the time comes in, what is to be forgotten goes out. Knows
no avatar, file or engine.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(slots=True, eq=False)
class CacheEntry(Generic[V]):
    """`pins`: its users now. `used_s`: when the last of them came or went. `listed`: found by its name still."""

    name: str
    value: V
    size_bytes: int
    used_s: float
    pins: int = 0
    listed: bool = True


@dataclass(slots=True)
class CacheCounts:
    """Since the start. `evictions`: forgotten for the budget. `expirations`: forgotten for want of use."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    expirations: int = 0


@dataclass(slots=True)
class AvatarCache(Generic[V]):
    """Entries by name. `budget_bytes` bounds all entries, but what is pinned stays, whatever it takes.

    `ttl_s`: unused for so long, an entry goes though there is room; 0: never. What was replaced or removed is found no
    more and goes with its last pin.
    """

    budget_bytes: int
    ttl_s: float = 0.0
    counts: CacheCounts = field(default_factory=CacheCounts)
    _listed: OrderedDict[str, CacheEntry[V]] = field(default_factory=OrderedDict)  # the longest unused first
    _leaving: list[CacheEntry[V]] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        """Memory taken, what was replaced and is still used included."""
        return sum(entry.size_bytes for entry in self.entries())

    def entries(self) -> list[CacheEntry[V]]:
        """All, the longest unused first, then those that were replaced."""
        return [*self._listed.values(), *self._leaving]

    def find(self, name: str) -> CacheEntry[V] | None:
        """The entry of this name; counts nothing."""
        return self._listed.get(name)

    def hit(self, entry: CacheEntry[V], now_s: float) -> None:
        """It was asked for and served."""
        self.counts.hits += 1
        self._touch(entry, now_s)

    def miss(self) -> None:
        """What was asked for has to be loaded."""
        self.counts.misses += 1

    def put(self, name: str, value: V, size_bytes: int, now_s: float, *, pins: int = 0) -> CacheEntry[V]:
        """A new entry; it replaces the one of its name."""
        self.remove(name)
        entry = self._listed[name] = CacheEntry(name, value, size_bytes, now_s, pins)
        return entry

    def pin(self, entry: CacheEntry[V]) -> None:
        """One more user: it stays."""
        entry.pins += 1

    def unpin(self, entry: CacheEntry[V], now_s: float) -> None:
        """One user less."""
        assert entry.pins > 0, entry.name
        entry.pins -= 1
        self._touch(entry, now_s)

    def remove(self, name: str) -> bool:
        """Find it no more; `evict` gives it back once nobody uses it. False where there was none."""
        entry = self._listed.pop(name, None)
        if entry is None:
            return False
        entry.listed = False
        self._leaving.append(entry)
        return True

    def evict(self, now_s: float) -> list[CacheEntry[V]]:
        """What is to be forgotten now; the cache has forgotten it already."""
        gone = [entry for entry in self._leaving if not entry.pins]
        self._leaving = [entry for entry in self._leaving if entry.pins]
        for entry in [entry for entry in self._listed.values() if self._has_expired(entry, now_s)]:
            gone.append(self._listed.pop(entry.name))
            self.counts.expirations += 1
        size_bytes = self.size_bytes
        for entry in [entry for entry in self._listed.values() if not entry.pins]:
            if size_bytes <= self.budget_bytes:
                break
            gone.append(self._listed.pop(entry.name))
            size_bytes -= entry.size_bytes
            self.counts.evictions += 1
        for entry in gone:
            entry.listed = False
        return gone

    def next_expiry_s(self) -> float | None:
        """When `evict` has to be called next for want of use; None when nothing is unused, or nothing expires."""
        unused = [entry.used_s for entry in self._listed.values() if not entry.pins]
        return min(unused) + self.ttl_s if unused and self.ttl_s else None

    def _has_expired(self, entry: CacheEntry[V], now_s: float) -> bool:
        return bool(self.ttl_s) and not entry.pins and now_s >= entry.used_s + self.ttl_s

    def _touch(self, entry: CacheEntry[V], now_s: float) -> None:
        entry.used_s = now_s
        if entry.listed:
            self._listed.move_to_end(entry.name)
