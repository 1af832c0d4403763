"""Thousands of random commands by several users, held against a small model: every stream, every
answer, the state that each user sees, and all of it again after restarts.

TIDINGS_SEED           plays that game again (or --seed)
TIDINGS_MODEL_SECONDS  how long each game lasts
"""
import os
import random

import pytest

from lib.model.game import QUIET_LIMIT, Game

OPTIONS = {"limits.sessions": 0, "rooms.quiet_limit": QUIET_LIMIT, "replay.max_events": 0}
JOURNALS = ("kept", "memory")  # in what the server is told to keep it, or nowhere


def play(start, request, seconds, journal, **options):
    seed = int(os.environ.get("TIDINGS_SEED") or request.config.getoption("--seed") or
               random.SystemRandom().randrange(1 << 32))
    seconds = float(os.environ.get("TIDINGS_MODEL_SECONDS") or seconds)
    settings = {key.replace(".", "__"): value for key, value in OPTIONS.items()}
    if journal == "memory":
        settings["journal__url"] = "memory:"
    server = start(**settings, **options)
    game = Game(server, random.Random(seed), durable=journal == "kept",
                queues_are_small="sse__queue_bytes" in options)
    try:
        game.play(seconds)
    except BaseException:
        print(f"TIDINGS_SEED={seed}, {game.count} commands; the last:\n{game.story()}")
        raise
    print(f"TIDINGS_SEED={seed}: {game.count} commands, {len(game.journal.entries)} entries")


@pytest.mark.parametrize("journal", JOURNALS)
def test_short(start, request, journal):
    play(start, request, 5, journal)


@pytest.mark.slow
@pytest.mark.parametrize("journal", JOURNALS)
def test_long(start, request, journal):
    play(start, request, 30, journal)


@pytest.mark.slow
def test_small_queues(start, request):
    play(start, request, 15, "kept", sse__queue_bytes="4k")


@pytest.mark.slow
def test_replays_from_the_journal_alone(start, request):
    play(start, request, 10, "kept", replay__ring_bytes="64k", replay__ring_age="1s")
