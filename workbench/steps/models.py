"""The model of (labels so far, configuration): found, or trained."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from acquisition import Posterior
from workbench.domain.errors import ArtifactProblem
from workbench.domain.records import ModelRun
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed
from workbench.learning.spec import data_hash
from workbench.steps.parts import Parts
from workbench.storage.annotations import Example
from workbench.storage.shards import read_shard
from workbench.storage.store import Transaction

MODELS = Path("models")


class Trained(NamedTuple):
    """A model run and its posterior in memory."""

    run: ModelRun
    posterior: Posterior


def examples(parts: Parts) -> list[Example]:
    """All labels so far that may be learnt from, by key."""
    with parts.store.begin() as tx:
        return tx.annotations.training_set(parts.project.id)


def teaches(found: list[Example]) -> bool:
    """Whether a model can be trained on these: two classes at least."""
    return len({example.label for example in found}) >= 2


def model_for(parts: Parts, held: Round, found: list[Example]) -> Trained:
    """Take the model that was trained on exactly these labels with this configuration, or train it.

    A checkpoint that is missing or damaged is made again: the seed follows from the data, so it is the same.

    Raises:
        ModelProblem: It can not be trained.
        ArtifactProblem: It can not be written.
    """
    digest = data_hash([e.key for e in found], [e.label for e in found], parts.learner.spec)
    with parts.store.begin() as tx:
        run = tx.results.find_run(parts.project.id, digest, parts.learner.spec.posterior)
    if run is not None:
        try:
            return Trained(run, parts.learner.load(parts.directory / run.uri, run.sha256))
        except ArtifactProblem as damage:
            _note(parts, held, f"A checkpoint is made again: {damage}")
    return _train(parts, held, found, digest)


def model_of_round(parts: Parts, held: Round) -> Trained | None:
    """The model that was trained on this round's labels, whatever has been said of them since.

    Only if its checkpoint is lost is a model of today's labels taken instead, under a run of its own.
    """
    if held.model_run_id is None:
        return None
    with parts.store.begin() as tx:
        run = tx.results.run(held.model_run_id)
    try:
        return Trained(run, parts.learner.load(parts.directory / run.uri, run.sha256))
    except ArtifactProblem:
        found = examples(parts)
        return model_for(parts, held, found) if teaches(found) else None


def model_that_scored(parts: Parts, held: Round) -> Trained:
    """The model that scored the pool for this round; a lost checkpoint of it is a model of today's labels."""
    if held.scoring_run_id is not None:
        with parts.store.begin() as tx:
            run = tx.results.run(held.scoring_run_id)
        try:
            return Trained(run, parts.learner.load(parts.directory / run.uri, run.sha256))
        except ArtifactProblem as damage:
            _note(parts, held, f"A checkpoint is made again: {damage}")
    return model_for(parts, held, examples(parts))


def _train(parts: Parts, held: Round, found: list[Example], digest: str) -> Trained:
    seed = derive_seed(parts.project.seed, "model", digest)
    began = time.monotonic()
    with parts.progress(f"Training on {len(found)} labels") as report:
        posterior = parts.learner.fit(
            [e.payload for e in found],
            [e.label for e in found],
            seed=seed,
            progress=report,
            population=population(parts),
        )
    parts.renew(held)
    stem = f"{digest[:16]}-{parts.learner.spec.posterior}"
    saved = parts.learner.save(posterior, parts.directory / MODELS, stem)
    facts = {
        "posterior": parts.learner.spec.posterior,
        "seed": seed,
        "data_hash": digest,
        "labels": len(found),
        "uri": (MODELS / saved.path.name).as_posix(),
        "sha256": saved.sha256,
        "seconds": time.monotonic() - began,
    }
    # Tried for as long as it takes a server to come back: an hour of training may be behind it.
    return Trained(parts.store.insist(lambda tx: _save_run(tx, parts, held, facts)), posterior)


def _save_run(tx: Transaction, parts: Parts, held: Round, facts: Mapping[str, Any]) -> ModelRun:
    tx.rounds.hold(held)
    return tx.results.save_run(parts.project.id, held.id, parts.config.snapshot(), **facts)


def population(parts: Parts) -> Iterator[list[Mapping[str, Any]]]:
    """The whole pool, for what a model needs to know of it: the scale of numeric features."""
    with parts.store.begin() as tx:
        shards = tx.pool.shards(parts.project.id)
    for shard in shards:
        for rows in read_shard(parts.directory / shard.uri, 4096):
            yield [row.payload for row in rows]


def _note(parts: Parts, held: Round, message: str) -> None:
    with parts.store.begin() as tx:
        tx.rounds.hold(held)
        tx.results.note(parts.project.id, "checkpoint", message, round_id=held.id)
