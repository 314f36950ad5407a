"""A recording as an SQLite database, for questions in SQL; docs/sql.md names the columns.

Times are seconds: of connections since 1970, of what lies within since the recording's start.
Sizes are bytes. Fields are those with a single value: a path, a name, a number.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pix.problem import Problem
from pix_inspect.base.new_files import PRIVATE
from pix_inspect.base.safe_text import plain
from pix_inspect.describe.about import about
from pix_inspect.findings.lookup import detector
from pix_inspect.session.activities import log_line
from pix_inspect.session.exchange_view import ExchangeView
from pix_inspect.session.failures import failure_text
from pix_inspect.session.session import Session

TABLES = """
create table recording (path text, host text, tool text, listen text, upstream text, command text);
create table connections (
  connection integer primary key, opened real, closed real, pid integer, uid integer,
  command text, family text, protocol text, daemon_nix text, lost integer, failure text
);
create table exchanges (
  exchange integer primary key, connection integer references connections, kind text,
  operation text, code integer, about text, path text, state text, started real, took real,
  request_bytes integer, reply_bytes integer, frames integer, payload_bytes integer, error text
);
create table fields (exchange integer references exchanges, part text, field text, value);
create table log (
  exchange integer references exchanges, time real, frame text, text text
);
create table findings (
  exchange integer references exchanges, finding text, grade text, place text, said text
);
"""

VIEWS = """
create index fields_by_value on fields (field, value);
create index fields_of_exchange on fields (exchange);
create index log_of_exchange on log (exchange);
create view slowest as
  select operation, count(*) as count, sum(took) as total, max(took) as longest,
         sum(took) * 1.0 / count(*) as mean
  from exchanges where took is not null group by operation order by total desc;
create view failures as
  select exchange, connection, operation, about, state, error from exchanges
  where state not in ('ok', 'open');
create view asked_again as
  select operation, path, count(*) as times, sum(took) as total from exchanges
  where path is not null group by operation, path having count(*) > 1 order by times desc;
create view bytes_by_path as
  select path, sum(request_bytes + reply_bytes) as bytes, count(*) as exchanges from exchanges
  where path is not null group by path order by bytes desc;
create view clients as
  select c.connection, c.pid, c.command, c.family, c.protocol, c.daemon_nix,
         count(e.exchange) as exchanges, sum(e.took) as busy
  from connections c left join exchanges e using (connection) group by c.connection;
"""

SLICE = 1000
"""Exchanges that are written in one go."""
MOST_ELEMENTS = 1000
"""Elements of a list that are written."""
MOST_LINES = 10_000
"""Log frames of an exchange that are written."""

Rows = list[tuple[Any, ...]]


def write_database(session: Session, path: Path, numbers: Iterable[int]) -> int:
    """Write the exchanges of these numbers (from 0) into a file; return how many they were.

    It appears under its name when it is whole, in place of what is there. Raises Problem when it
    cannot be written.
    """
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    made = session.made
    command = " ".join(map(str, made.command or ())) or None
    count = 0
    try:
        part.touch(PRIVATE, exist_ok=False)
        base = sqlite3.connect(part)
        try:
            base.executescript("pragma journal_mode = off; pragma synchronous = off;" + TABLES)
            path_text = str(session.path)
            about_file = (path_text, made.host, made.tool, made.listen, made.upstream, command)
            base.execute("insert into recording values (?,?,?,?,?,?)", [*map(_text, about_file)])
            rows: dict[str, Rows] = {}
            for i in numbers:
                for table, row in _rows(session, i):
                    rows.setdefault(table, []).append(row)
                count += 1
                if count % SLICE == 0:
                    _insert(base, rows)
            rows["connections"] = list(_connections(session))
            _insert(base, rows)
            base.executescript(VIEWS)
            base.commit()
        finally:
            base.close()
        part.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise Problem(f"cannot write {path}: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def _insert(base: sqlite3.Connection, rows: dict[str, Rows]) -> None:
    for table, found in rows.items():
        if found:
            places = ",".join("?" * len(found[0]))
            base.executemany(f"insert into {table} values ({places})", found)
    rows.clear()


def _connections(session: Session) -> Iterator[tuple[Any, ...]]:
    for row in session.connections.values():
        peer = row.peer
        yield (
            row.number, row.opened / 1e9, row.closed and row.closed / 1e9, peer.pid, peer.uid,
            _text(peer.command), row.family and row.family.name,
            row.protocol and row.protocol.text, _text(row.daemon_nix), row.lost,
            str(row.failure) if row.failure else None,
        )  # fmt: skip


def _rows(session: Session, i: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    view = session.exchange(i)
    row, payload = view.row, view.payload
    timed = not session.made.timeless
    took = row.took / 1e9 if timed and row.took is not None else None
    fields = [(part, *each) for part in ("request", "reply") for each in _fields(view, part)]
    texts = (value for part, _, value in fields if part == "request" and isinstance(value, str))
    path = next((value for value in texts if value.startswith("/")), None)
    yield (
        "exchanges",
        (
            row.number, row.connection, row.kind, row.operation, row.code, _text(about(view)), path,
            row.state,
            (row.started - session.started) / 1e9 if timed else None, took, row.up, row.down,
            row.frames, payload.bytes if payload is not None else None,
            _text(failure_text(view) or None),
        ),
    )  # fmt: skip
    for each in fields:
        yield "fields", (row.number, *each)
    for frame in view.log[:MOST_LINES]:
        line = log_line(frame)
        if line is not None:
            time = (frame.time - session.started) / 1e9 if timed and frame.time else None
            yield "log", (row.number, time, frame.name, _text(line.rstrip("\n")))
    for found in detector(session).of(i):
        said = (found.kind.name, found.grade, _text(found.place), _text(found.said))
        yield "findings", (row.number, *said)


def _fields(view: ExchangeView, name: str) -> Iterator[tuple[str, Any]]:
    part = view.part(name)
    stack = [("", part.node)] if part is not None and part.node is not None else []
    while stack:
        path, node = stack.pop()
        if node.children is not None:
            inner = [node.children[n] for n in range(min(len(node.children), MOST_ELEMENTS))]
            stack += [(f"{path}.{each.name}".lstrip("."), each) for each in reversed(inner)]
        elif node.value is not None:
            value = node.plain()
            if isinstance(value, int) and abs(value) >= 1 << 63:
                value = str(value)
            if isinstance(value, (str, int, float)):
                yield path, _text(value) if isinstance(value, str) else value


def _text(text: str | None) -> str | None:
    return None if text is None else plain(text).encode("utf-8", "replace").decode()
