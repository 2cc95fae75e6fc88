"""Marks are a dictionary with a window, whatever runs they lie in."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.journal.connection import connect_writer
from crossdock.journal.filter import RunFilter, slots
from crossdock.journal.marks import Marks, digest_of
from crossdock.journal.statements import run_many

WINDOW = 100


class Bench:
    """Marks with tiny runs, and the events they are made from again."""

    def __init__(self, path: Path, marks_a_run: int = 4) -> None:
        self.path, self.marks_a_run = path, marks_a_run
        self.db = connect_writer(path)
        self.sequence = 0
        self.load()

    def load(self) -> None:
        """Make the marks from the file."""
        self.marks = Marks(WINDOW, self.marks_a_run, cells=256)
        self.marks.load(self.db)

    def arrive(self, message_id: str, at: int) -> int:
        """Give the original's sequence, or 0 for a new event."""
        digest = digest_of("all", message_id)
        original = self.marks.seen(self.db, digest, at)
        if not original:
            self.sequence += 1
            self.marks.enter(digest, at, self.sequence)
            row = (self.sequence, 0, "web", "all", message_id, at, b"{}", None)
            run_many(self.db, "event_insert", row, 8)
        self.marks.keep()
        return original

    def slice(self, marks: int = 2) -> None:
        """Flush a part of the run under way."""
        self.marks.begin_flush(self.db)
        self.db.execute("BEGIN")
        self.marks.flush_slice(self.db, marks)
        self.db.execute("COMMIT")
        self.marks.flushed()

    def failing_slice(self) -> None:
        """Flush a part, and undo it."""
        self.marks.begin_flush(self.db)
        self.db.execute("BEGIN")
        self.marks.flush_slice(self.db, 2)
        self.db.execute("ROLLBACK")
        self.marks.undo()

    def expire(self, now: int) -> None:
        """Drop what has left the window."""
        self.marks.expire(self.db, now)
        self.marks.keep()

    def restart(self) -> None:
        """Let go of the file, and open it again."""
        self.db.close()
        self.db = connect_writer(self.path)
        self.load()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Marks in a new file."""
    bench = Bench(tmp_path / "marks.db")
    yield bench
    bench.db.close()


def flush(bench: Bench) -> None:
    """Write all marks in memory as a run."""
    bench.slice(1 << 20)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(0, 12)),
        st.tuples(st.just("pass"), st.integers(1, 60)),
        st.tuples(st.sampled_from(["slice", "failing_slice", "expire", "restart"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_marks_are_a_dictionary_with_a_window(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Whatever is flushed, undone, expired or restarted in between, answers are a plain dictionary's."""
    bench = Bench(tmp_path_factory.mktemp("model") / "marks.db")
    model: dict[str, tuple[int, int]] = {}
    now = 1000
    for step, number in steps:
        match step:
            case "arrive":
                message_id = f"m{number}"
                first = model.get(message_id)
                expected = first[0] if first and now - first[1] < WINDOW else 0
                assert expected == bench.arrive(message_id, now)
                if not expected:
                    model[message_id] = bench.sequence, now
            case "pass":
                now += number
            case "expire":
                bench.expire(now)
            case _:
                getattr(bench, step)()
    bench.db.close()


def test_many_runs(bench: Bench) -> None:
    """Ids in a hundred runs, more than a bank of the filter holds, are all found; new ones are not."""
    bench.marks_a_run = 3
    bench.load()
    for number in range(300):
        assert 0 == bench.arrive(f"m{number}", 1)
        if bench.marks.flushing:
            flush(bench)
    assert 100 == len(bench.marks.runs)
    for _ in range(2):
        assert list(range(1, 301)) == [bench.arrive(f"m{number}", 2) for number in range(300)]
        assert not any(bench.marks.seen(bench.db, digest_of("all", f"n{number}"), 2) for number in range(500))
        bench.restart()


def test_small_runs_are_taken_in(bench: Bench) -> None:
    """Flushing before a run is full does not leave ever more runs behind."""
    bench.marks_a_run = 100
    bench.load()
    for number in range(50):
        bench.arrive(f"m{number}", 1)
        flush(bench)
    assert [50] == [run.marks for run in bench.marks.runs]
    bench.restart()
    assert 7 == bench.arrive("m6", 2)


def test_an_expired_mark_in_a_living_run_does_not_count(bench: Bench) -> None:
    """Within a run each mark has its own time."""
    bench.arrive("old", 0)
    bench.arrive("young", 90)
    flush(bench)
    bench.expire(WINDOW + 50)
    assert (0, 2) == (bench.arrive("old", WINDOW + 50), bench.arrive("young", WINDOW + 50))


def test_expired_runs_are_dropped_whole(bench: Bench) -> None:
    """A run leaves with its table and its slot is used again."""
    bench.arrive("a", 0)
    flush(bench)
    bench.marks_a_run = 1
    bench.load()
    bench.arrive("b", 90)
    flush(bench)
    bench.expire(WINDOW)
    assert [1] == [run.slot for run in bench.marks.runs]
    bench.arrive("c", WINDOW)
    flush(bench)
    assert [1, 0] == [run.slot for run in bench.marks.runs]
    bench.restart()
    assert (2, 3, 0) == tuple(bench.arrive(message_id, WINDOW + 1) for message_id in "bca")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        bench.db.execute("SELECT * FROM mark_1")


def test_a_kill_amid_a_flush_loses_nothing(bench: Bench) -> None:
    """A run half written is dropped at the next start, and its marks come from the events."""
    for number in range(8):
        bench.arrive(f"m{number}", 1)
    bench.slice(4)
    bench.restart()
    assert [] == bench.marks.runs
    assert list(range(1, 9)) == [bench.arrive(f"m{number}", 2) for number in range(8)]


def test_a_lone_surrogate_is_an_id_like_any(bench: Bench) -> None:
    """An id that is no valid UTF-8 has a digest too."""
    assert 16 == len(digest_of("all", "\ud800"))


def test_the_filter_never_denies(tmp_path: Path) -> None:
    """Every digest entered is found in its slot; few others are; a cleared slot is empty."""
    digests = [[uuid.uuid4().bytes for _ in range(1000)] for _ in range(70)]
    filter_ = RunFilter(1 << 14)
    for slot, entered in enumerate(digests):
        filter_.clear(slot)
        filter_.add(slot, entered)
        filter_.live(slot, alive=True)
    assert all(slot in slots(filter_(digest)) for slot, entered in enumerate(digests) for digest in entered)
    strangers = [filter_(uuid.uuid4().bytes) for _ in range(1000)]
    assert 0.005 > sum(bits.bit_count() for bits in strangers) / 1000 / 70
    other = RunFilter(1 << 14)
    for slot in range(70):
        other.clear(slot)
    for plane in range(9):
        other.set_plane(plane, filter_.plane(plane * 8))
    for slot in range(70):
        other.live(slot, alive=True)
    assert [filter_(entered[0]) for entered in digests] == [other(entered[0]) for entered in digests]
    filter_.clear(3)
    filter_.live(3, alive=True)
    assert not any(3 in slots(filter_(digest)) for digest in digests[3])
    assert all(4 in slots(filter_(digest)) for digest in digests[4])


@pytest.mark.parametrize("cells", [0, 3, 1 << 22])
def test_the_filters_size_is_a_power_of_two(cells: int) -> None:
    """Other sizes are refused."""
    with pytest.raises(ValueError, match="power of two"):
        RunFilter(cells)
