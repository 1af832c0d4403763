"""History: pages in both directions, single messages, threads, who may read."""
import pytest

from lib.http import path
from lib.room import BAD_NAMES, room_path
from lib.sse import id_key


@pytest.fixture(scope="module")
def filled(server):
    """A room of 120 messages, some of them in a thread, with other events between."""
    owner = server.user("owner-of-history")
    room = owner.create("history")
    sent = []
    for number in range(120):
        more = {"threadId": "m-0"} if number % 10 == 5 else {}
        sent.append(owner.send(room, f"text {number}", messageId=f"m-{number}", **more))
        if number % 20 == 0:
            owner.post(room_path(room, "events"), {"type": "custom.x", "data": number}).expect(201)
            owner.put(room_path(room), {"topic": f"topic {number}"}).expect(200)
    return owner, room, [message["id"] for message in sent]


def page(user, room, **query):
    got = user.get(path("v1", "rooms", room, "messages", **query)).expect(200).json
    assert got.keys() <= {"messages", "nextBefore", "nextAfter", "asOf"}, got.keys()
    id_key(got["asOf"])
    return got


def ids_of(got):
    return [message["id"] for message in got["messages"]]


def test_newest_first(filled):
    owner, room, ids = filled
    got = page(owner, room)
    assert ids_of(got) == ids[:69:-1], "50 without a limit"
    assert "nextAfter" not in got
    assert ids_of(page(owner, room, limit=100)) == ids[:19:-1]
    assert ids_of(page(owner, room, limit=1)) == ids[-1:]


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
def test_pages_backwards(filled, limit):
    owner, room, ids = filled
    got, bound = [], None
    while True:
        some = page(owner, room, before=bound, limit=limit)
        assert len(some["messages"]) <= limit
        got += ids_of(some)
        bound = some.get("nextBefore")
        if bound is None:
            break
        assert len(got) < 121
    assert got == ids[::-1]


@pytest.mark.parametrize("limit", [1, 7, 40, 100])
def test_pages_forwards(filled, limit):
    owner, room, ids = filled
    got, bound = [], "0-0"
    while True:
        some = page(owner, room, after=bound, limit=limit)
        got += ids_of(some)
        bound = some.get("nextAfter")
        if bound is None:
            break
        assert len(got) < 121
    assert got == ids


def test_bounds_are_ids_or_names(filled):
    owner, room, ids = filled
    for bound in (ids[60], "m-60"):
        assert ids_of(page(owner, room, before=bound, limit=3)) == [ids[59], ids[58], ids[57]]
        assert ids_of(page(owner, room, after=bound, limit=3)) == [ids[61], ids[62], ids[63]]
    assert ids_of(page(owner, room, before=ids[0])) == []
    assert ids_of(page(owner, room, after=ids[-1])) == []
    big = "18446744073709551615-0"
    assert ids_of(page(owner, room, before=big, limit=2)) == [ids[119], ids[118]]


def test_between_two_bounds(filled):
    """As a `gap` names them."""
    owner, room, ids = filled
    assert ids_of(page(owner, room, after=ids[10], before=ids[15])) == ids[11:15]
    assert ids_of(page(owner, room, after="m-10", before="m-11")) == []
    got, bound = [], ids[20]
    while bound:
        some = page(owner, room, after=bound, before=ids[50], limit=8)
        got += ids_of(some)
        bound = some.get("nextAfter")
    assert got == ids[21:50]


def test_around(filled):
    owner, room, ids = filled
    for bound in (ids[60], "m-60"):
        got = page(owner, room, around=bound, limit=9)
        found = sorted(ids_of(got), key=id_key)
        assert len(found) <= 9 and ids[60] in found
        first = ids.index(found[0])
        assert found == ids[first:first + len(found)], "without holes"
        assert abs((60 - first) - (first + len(found) - 1 - 60)) <= 1, "the same on both sides"
        older = page(owner, room, before=got["nextBefore"], limit=1)
        newer = page(owner, room, after=got["nextAfter"], limit=1)
        assert ids_of(older) == [ids[first - 1]]
        assert ids_of(newer) == [ids[first + len(found)]]
    assert ids[-1] in ids_of(page(owner, room, around=ids[-1], limit=5))
    assert ids[0] in ids_of(page(owner, room, around="m-0", limit=5))


def test_a_thread(filled):
    owner, room, ids = filled
    thread = [ids[number] for number in range(120) if number % 10 == 5]
    assert ids_of(page(owner, room, thread="m-0")) == thread[::-1]
    assert ids_of(page(owner, room, thread="m-0", after="0-0", limit=5)) == thread[:5]
    assert ids_of(page(owner, room, thread="m-0", before=thread[3])) == thread[2::-1]
    assert ids_of(page(owner, room, thread="m-1")) == []


def test_one_message(filled):
    owner, room, ids = filled
    got = owner.get(room_path(room, "messages", "m-15")).expect(200).json
    listed = page(owner, room, before="m-16", limit=1)["messages"][0]
    assert id_key(got.pop("asOf")) >= id_key(ids[-1])
    assert got == listed
    assert (got["id"], got["text"], got["threadId"]) == (ids[15], "text 15", "m-0")
    owner.get(room_path(room, "messages", "m-120")).expect(404, "not_found")
    for name in (*BAD_NAMES, "1-1"):
        answer = owner.get(room_path(room, "messages", name))
        assert answer.status == 400, (name, answer)
    owner.get(room_path("no-such-room", "messages", "m-15")).expect(404, "not_found")


@pytest.mark.parametrize("query", [
    "before=m-999", "after=m-999", "around=m-999"])
def test_unknown_bounds(filled, query):
    owner, room, _ = filled
    owner.get(room_path(room, "messages") + "?" + query).expect(404, "not_found")


@pytest.mark.parametrize("query, field", [
    ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=1.0", "limit"),
    ("limit=", "limit"), ("limit=-1", "limit"), ("limit=01", "limit"),
    ("limit=5&limit=5", "limit"), ("before=a%20b", "before"), ("before=", "before"),
    ("before=1-2&before=1-3", "before"), ("after=01-1", "after"),
    ("after=99999999999999999999-1", "after"), ("around=%2F", "around"),
    ("around=1-1&before=1-1", "around"), ("around=1-1&after=1-1", "around"),
    ("thread=1-1", "thread"), ("thread=", "thread")])
def test_bad_queries(filled, query, field):
    owner, room, _ = filled
    answer = owner.get(room_path(room, "messages") + "?" + query).expect(400, "invalid_parameter")
    assert answer.json["field"] == field


@pytest.mark.parametrize("query", ["before=%zz", "before=%00", "before=%ff"])
def test_broken_escapes(filled, query):
    owner, room, _ = filled
    answer = owner.get(room_path(room, "messages") + "?" + query)
    assert answer.status == 400, answer


def test_an_empty_room(server, names):
    owner = server.user(names("owner"))
    room = owner.create(names("room"))
    for query in ({}, {"before": "5-5"}, {"after": "0-0"}, {"around": "5-5"}, {"thread": "x"}):
        assert ids_of(page(owner, room, **query)) == []


def test_who_may_read(server, names):
    owner, other, service = (server.user(names("owner")), server.user(names("other")),
                             server.service())
    public, private = owner.create(names("room")), owner.create(names("room"), kind="private")
    sent = {room: owner.send(room, messageId="m")["id"] for room in (public, private)}
    guest = server.user(names("guest"), scope="guest")
    for user in (other, guest):
        assert ids_of(page(user, public)) == [sent[public]]
        user.get(room_path(public, "messages", "m")).expect(200)
        user.get(room_path(private, "messages")).expect(404, "not_found")
        user.get(room_path(private, "messages", "m")).expect(404, "not_found")
        user.get(room_path(names("none"), "messages")).expect(404, "not_found")
    reader = server.user(names("reader"), rooms=[{"room": private[:-1] + "*", "can": ["read"]}])
    poster = server.user(names("poster"), rooms=[{"room": private, "can": ["post"]}])
    for user in (reader, service):
        assert ids_of(page(user, private)) == [sent[private]]
    poster.get(room_path(private, "messages")).expect(403, "not_a_member")


@pytest.mark.parametrize("kind", ["public", "private"])
def test_from_the_joining_on(server, names, kind):
    owner, member = server.user(names("owner")), server.user(names("member"))
    room = owner.create(names("room"), kind=kind, historyFrom="joining")
    before = owner.send(room, "before", messageId="before")["id"]
    owner.put(room_path(room, "members", member.name)).expect(200)
    after = owner.send(room, "after", messageId="after")["id"]
    assert ids_of(page(owner, room)) == [after, before]
    if kind == "public":
        assert ids_of(page(member, room)) == [after, before], "anyone reads it"
        return
    assert ids_of(page(member, room)) == [after]
    assert ids_of(page(member, room, after="0-0")) == [after]
    member.get(room_path(room, "messages", "before")).expect(404, "not_found")
    member.get(room_path(room, "messages", "after")).expect(200)
    owner.put(room_path(room), {"historyFrom": "start"}).expect(200)
    assert ids_of(page(member, room)) == [after, before]


def test_one_who_was_removed_reads_no_more(server, names):
    owner, member = server.user(names("owner")), server.user(names("member"))
    room = owner.create(names("room"), kind="private")
    owner.put(room_path(room, "members", member.name)).expect(200)
    owner.send(room)
    assert len(ids_of(page(member, room))) == 1
    owner.delete(room_path(room, "members", member.name)).expect(200)
    member.get(room_path(room, "messages")).expect(404, "not_found")


def test_a_large_page_is_gzipped_when_asked(server, names):
    owner = server.user(names("owner"))
    room = owner.create(names("room"))
    for _ in range(10):
        owner.send(room, "x" * 2000)
    plain = owner.get(room_path(room, "messages")).expect(200)
    assert plain.header("Content-Encoding") is None
    packed = owner.get(room_path(room, "messages"), headers={"Accept-Encoding": "gzip"})
    assert packed.header("Content-Encoding") == "gzip" and len(packed.body) < len(plain.body) / 5


def test_it_outlives_a_restart(start, names):
    server = start()
    server.keep_port()
    owner = server.user(names("owner"))
    room = owner.create(names("room"), name="kept")
    sent = owner.send(room, "kept", messageId="m")
    owner.close()
    server.stop()
    server.start()
    assert ids_of(page(owner, room)) == [sent["id"]]
    assert owner.get(room_path(room)).json["name"] == "kept"
    assert owner.post(room_path(room, "messages"), {"messageId": "m", "text": "kept"}).expect(
        200).json == sent
