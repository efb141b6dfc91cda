"""Fill the pool: from a source's records to immutable Parquet shards, and held-out items to the database.

All of a source comes in or none of it. The same source again adds nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.sources.records import BrokenItem, SourceItem, SourceReading
from workbench.domain.errors import ArtifactProblem, PoolProblem
from workbench.domain.records import NewItem, PoolShard, Project, Split
from workbench.domain.seeds import fraction
from workbench.storage.shards import (
    PoolRow,
    ShardFacts,
    read_feature_names,
    read_keys,
    read_shard,
    write_shard,
)
from workbench.storage.store import Store, Transaction

ROWS_PER_SHARD = 50_000
#: Bytes of a key: PostgreSQL finds items by it, and takes 2,704 at most into an index.
KEY_BYTES, KEY_SHOWN = 2000, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a source's records."""

    pool: int = 0
    test: int = 0
    #: With a known label, to measure annotators.
    gold: int = 0
    #: In the pool already, with the same content.
    known: int = 0
    #: The same content under another key, or held out already: left out.
    copies: tuple[str, ...] = ()
    broken: tuple[BrokenItem, ...] = ()


@dataclass(slots=True)
class _Sieve:
    """What has been seen so far, to tell new items from known ones, copies and clashes."""

    hashes: dict[str, str]
    contents: set[str] = field(default_factory=set)
    known: int = 0
    copies: list[str] = field(default_factory=list)
    broken: list[BrokenItem] = field(default_factory=list)
    clashes: list[str] = field(default_factory=list)

    def keep(self, record: SourceItem | BrokenItem) -> SourceItem | None:
        """Say whether a record is a new item, and count it for what it is if not."""
        if isinstance(record, BrokenItem):
            self.broken.append(record)
            return None
        if record.key in self.hashes:
            self._seen_key(record)
            return None
        if (size := len(record.key.encode("utf-8", "surrogatepass"))) > KEY_BYTES:
            reason = f"the key is {size} bytes long, and {KEY_BYTES} are the most"
            self.broken.append(BrokenItem(key=f"{record.key[:KEY_SHOWN]}…", reason=reason))
            return None
        self.hashes[record.key] = record.sha256
        if record.sha256 in self.contents:
            self.copies.append(record.key)
            return None
        self.contents.add(record.sha256)
        return record

    def _seen_key(self, record: SourceItem) -> None:
        if self.hashes[record.key] == record.sha256:
            self.known += 1
        else:
            self.clashes.append(record.key)


def add_source(
    store: Store,
    project: Project,
    directory: Path,
    reading: SourceReading,
    *,
    test_share: float = 0.0,
    gold: bool = False,
    feature_names: Sequence[str] = (),
) -> Added:
    """Add a source to the pool; with ``test_share`` that part of it is held out and never trained on.

    Args:
        gold: All of it only measures annotators: never scored, trained on or tested on.

    Raises:
        PoolProblem: A key that is there already with other content, nothing to hold out or a label that
            is no class, other columns than before, or no usable item at all.
    """
    with store.begin() as tx:
        shards = tx.pool.shards(project.id)
    _check_features(directory, shards, feature_names)
    hashes = _known_keys(directory, shards)
    sieve = _Sieve(hashes=hashes, contents=set(hashes.values()))
    written: list[tuple[ShardFacts, list[PoolRow]]] = []
    counts = {Split.POOL: 0, Split.TEST: 0, Split.GOLD: 0}
    apart = Split.GOLD if gold else Split.TEST
    for rows in _chunks(sieve, reading):
        held_out = [row for row in rows if gold or _is_test(project, row, test_share)]
        if gold:
            _check_gold(rows)
        if gold or test_share > 0:
            _check_truth(project, rows)
        facts = write_shard(directory / "pool", rows, feature_names=feature_names)
        written.append((facts, held_out))
        counts[apart] += len(held_out)
        counts[Split.POOL] += len(rows) - len(held_out)
    _refuse_clashes(sieve)
    if not written and not sieve.known and not sieve.copies:
        raise PoolProblem(_nothing_usable(reading, sieve))
    with store.begin() as tx:
        tx.projects.lock(project.id)
        if len(tx.pool.shards(project.id)) != len(shards):
            raise PoolProblem(
                "Another process has added to the pool meanwhile; nothing was added here. "
                "Type the same command again: what is there already will be told apart."
            )
        _register(tx, project, directory, reading.location, written, apart)
    return Added(
        pool=counts[Split.POOL],
        test=counts[Split.TEST],
        gold=counts[Split.GOLD],
        known=sieve.known,
        copies=tuple(sieve.copies),
        broken=tuple(sieve.broken),
    )


def _check_features(directory: Path, shards: Sequence[PoolShard], names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise PoolProblem(f"The column '{twice[0]}' is named twice; name each once in --features.")
    for shard in shards:
        with suppress(ArtifactProblem):
            if (known := read_feature_names(directory / shard.uri)) != list(names):
                raise PoolProblem(
                    f"The pool holds the columns {', '.join(known)}, and these are {', '.join(names)}; "
                    "nothing was added. All rows of a project have the same columns in the same order."
                )


def remove_items(store: Store, project: Project, directory: Path, keys: Collection[str]) -> None:
    """Take items out: they are never chosen, trained on or measured on again. Their labels are kept.

    Raises:
        PoolProblem: A key that is not in the pool; nothing was removed then.
    """
    with store.begin() as tx:
        shards = tx.pool.shards(project.id)
    found = [
        _new_item(row, shard, Split.REMOVED)
        for shard in shards
        for rows in read_shard(directory / shard.uri, 4096)
        for row in rows
        if row.key in keys
    ]
    missing = sorted(set(keys) - {item.key for item in found})
    if missing:
        raise PoolProblem(
            f"'{missing[0]}' is not in the pool; nothing was removed. Keys stand in `round show`."
        )
    with store.begin() as tx:
        tx.pool.remove(project.id, found)
        tx.results.note(project.id, "pool-removed", f"{len(found)} items: {', '.join(sorted(keys)[:5])}")


def _known_keys(directory: Path, shards: Sequence[PoolShard]) -> dict[str, str]:
    """Content hashes of all items by key. A shard that is lost knows none: its source can restore it."""
    hashes: dict[str, str] = {}
    for shard in shards:
        with suppress(ArtifactProblem):
            hashes.update(read_keys(directory / shard.uri))
    return hashes


def _chunks(sieve: _Sieve, reading: SourceReading) -> Iterator[list[PoolRow]]:
    rows: list[PoolRow] = []
    for record in reading.records:
        item = sieve.keep(record)
        if item is None:
            continue
        rows.append(
            PoolRow(key=item.key, payload=item.payload, sha256=item.sha256, truth=item.truth, row=len(rows))
        )
        if len(rows) == ROWS_PER_SHARD:
            yield rows
            rows = []
    if rows:
        yield rows


def _is_test(project: Project, row: PoolRow, share: float) -> bool:
    return row.truth is not None and share > 0 and fraction(project.seed, "test", row.key) < share


def _check_gold(rows: Sequence[PoolRow]) -> None:
    unknown = [row.key for row in rows if row.truth is None]
    if unknown:
        raise PoolProblem(
            f"{len(unknown)} items have no label ('{unknown[0]}'), and --gold takes only items whose label "
            "is known; nothing was added. Name where labels are with --label, and leave the others out."
        )


def _check_truth(project: Project, rows: Sequence[PoolRow]) -> None:
    if all(row.truth is None for row in rows):
        raise PoolProblem(
            "Items were to be held out for testing, but none has a label. "
            "Name where labels are with --label (a column, or 'folders'), or leave --test-share away."
        )
    for row in rows:
        if row.truth is not None and row.truth not in project.classes:
            raise PoolProblem(
                f"Item '{row.key}' is labeled '{row.truth}', which is none of the project's classes "
                f"({', '.join(project.classes)}). Mend the label, or [project] classes in workbench.toml."
            )


def _refuse_clashes(sieve: _Sieve) -> None:
    if sieve.clashes:
        some = ", ".join(f"'{key}'" for key in sieve.clashes[:3])
        raise PoolProblem(
            f"{len(sieve.clashes)} keys stand for two different items ({some}); nothing was added. "
            "Keys must be unique in a project: name a column with --key, or set these apart with --prefix."
        )


def _nothing_usable(reading: SourceReading, sieve: _Sieve) -> str:
    broken = f"; {len(sieve.broken)} can not be read ({sieve.broken[0].reason})" if sieve.broken else ""
    return f"{reading.location} holds no usable item{broken}. Nothing was added."


def _register(
    tx: Transaction,
    project: Project,
    directory: Path,
    source: str,
    written: Sequence[tuple[ShardFacts, list[PoolRow]]],
    apart: Split,
) -> None:
    for facts, held_out in written:
        uri = facts.path.relative_to(directory).as_posix()
        shard = tx.pool.add_shard(project.id, uri=uri, rows=facts.rows, sha256=facts.sha256, source=source)
        tx.pool.touch(project.id, [_new_item(row, shard, apart) for row in held_out])
        purpose = ", to measure annotators" if apart is Split.GOLD else ""
        tx.results.note(project.id, "pool-added", f"{facts.rows} items from {source}{purpose}")


def _new_item(row: PoolRow, shard: PoolShard, split: Split) -> NewItem:
    return NewItem(
        key=row.key,
        split=split,
        payload=row.payload,
        sha256=row.sha256,
        shard_id=shard.id,
        row=row.row,
        known_label=row.truth if split in (Split.TEST, Split.GOLD) else None,
    )
