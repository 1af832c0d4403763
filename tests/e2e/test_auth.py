"""Who may: tokens of every kind through HTTP, the cookie, origins and preflights."""
import base64
import hashlib
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
import jwt

from lib import tokens
from lib.http import path, wait_until
from lib.sse import Stream
from lib.tokens import SECRET, b64url, claims_of, sign_hs256

HS256 = {"alg": "HS256", "typ": "JWT"}
OWN = {"alg": "HS256"}


def status_of(server, token, target="/v1/rooms"):
    return server.request("GET", target, token=token).status


def twice(name, one, two):
    """A JSON object with a member that stands twice."""
    return f'{{"{name}":{json.dumps(one)},"{name}":{json.dumps(two)}}}'.encode()


def hostile_tokens():
    """name -> token; none may be let in."""
    good = claims_of("mallory")
    now = int(time.time())
    header, body = tokens.part(HS256), tokens.part(good)
    mac = hmac.new(SECRET.encode(), f"{header}.{body}".encode(), hashlib.sha256).digest()
    yield "empty", ""
    yield "no token", "x"
    yield "two parts", f"{header}.{body}"
    yield "four parts", f"{header}.{body}.{b64url(mac)}.x"
    yield "no signature", f"{header}.{body}."
    yield "short signature", f"{header}.{body}.{b64url(mac[:16])}"
    yield "long signature", f"{header}.{body}.{b64url(mac + b'x')}"
    yield "padded", f"{header}.{body}.{base64.urlsafe_b64encode(mac).decode()}"
    yield "bits behind the signature", f"{header}.{body}.{b64url(mac)[:-1]}" + \
        {"A": "B", "Q": "R", "g": "h", "w": "x"}.get(b64url(mac)[-1], "-")
    yield "another secret", sign_hs256(HS256, good, "another-secret-of-at-least-32-bytes!")
    yield "an empty secret", sign_hs256(HS256, good, "")
    yield "another body", f"{header}.{tokens.part(claims_of('root'))}.{b64url(mac)}"
    for name in ("none", "None", "NONE", "", "HS384", "HS512", "RS256", "ES256", "hs256", None, 5):
        yield f"alg {name}", sign_hs256({"alg": name}, good)
    yield "no alg", sign_hs256({"typ": "JWT"}, good)
    yield "none, unsigned", f"{tokens.part({'alg': 'none'})}.{body}."
    yield "crit", sign_hs256(dict(OWN, crit=["exp"]), good)
    yield "crit unknown", sign_hs256(dict(OWN, crit=["x"], x=1), good)
    yield "alg twice", sign_hs256(twice("alg", "none", "HS256"), good)
    yield "no exp", sign_hs256(HS256, claims_of("m", exp=None))
    yield "no sub", sign_hs256(HS256, claims_of("m", sub=None))
    for sub in ("", "a b", "a/b", ".", "..", "x" * 129, 7, None, ["a"], "ü"):
        claims = dict(good, sub=sub)
        yield f"sub {sub!r}"[:30], sign_hs256(HS256, claims)
    yield "sub twice", sign_hs256(HS256, f'{{"sub":"a","sub":"b","exp":{now + 60}}}'.encode())
    yield "realm a/b", sign_hs256(HS256, dict(good, realm="a/b"))
    yield "exp an hour ago", sign_hs256(HS256, dict(good, exp=now - 3600))
    yield "exp in an hour, as text", sign_hs256(HS256, dict(good, exp=str(now + 3600)))
    for exp in (0, -1, "soon", True, 1e30, None, []):
        yield f"exp {exp!r}", sign_hs256(HS256, dict(good, exp=exp))
    yield "nbf in an hour", sign_hs256(HS256, dict(good, nbf=now + 3600))
    for nbf in ("x", []):
        yield f"nbf {nbf!r}", sign_hs256(HS256, dict(good, nbf=nbf))
    for name, value in (("name", "x" * 300), ("name", 7), ("name", "a\u0000b"),
                        ("data", "text"), ("data", {"x": "y" * 2000}), ("rooms", "x"),
                        ("rooms", [{"room": "a*b", "can": ["read"]}]), ("rooms", [7]),
                        ("rooms", [{"room": "a", "can": "read"}]), ("scope", 7)):
        yield f"{name} {str(value)[:20]!r}", sign_hs256(HS256, dict(good, **{name: value}))
    yield "an array", sign_hs256(HS256, b"[]")
    yield "no JSON", sign_hs256(HS256, b"{")
    yield "bad UTF-8", sign_hs256(HS256, b'{"sub":"\xff","exp":99999999999}')
    yield "huge", sign_hs256(HS256, dict(good, x="y" * 7000))
    yield "other letters", f"{header}.{body}.{b64url(mac)}".replace(".", ".+", 1)


@pytest.mark.parametrize("name,token", [pytest.param(name, token, id=name)
                                        for name, token in hostile_tokens()])
def test_hostile_tokens_are_refused(server, name, token):
    answer = server.request("GET", "/v1/rooms", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401, (name, answer)
    assert answer.header("WWW-Authenticate", "").startswith("Bearer")
    assert answer.code.startswith("token_")
    assert token == "" or len(token) < 5 or token not in answer.body.decode()


def test_the_leeway_is_given(server):
    now = int(time.time())
    assert status_of(server, sign_hs256(HS256, claims_of("m", exp=now - 10))) == 200
    assert status_of(server, sign_hs256(HS256, claims_of("m", nbf=now + 10))) == 200
    assert status_of(server, sign_hs256(HS256, claims_of("m", exp=now - 45))) == 401
    assert status_of(server, sign_hs256(HS256, claims_of("m", nbf=now + 45))) == 401


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer  {}"])
def test_the_scheme_is_read_as_it_should(server, header):
    text = header.format(tokens.token("alice"))
    answer = server.request("GET", "/v1/rooms", headers={"Authorization": text})
    assert answer.status == 200, answer


@pytest.mark.parametrize("header", ["Basic eDp5", "Bearer", "{}", "Token {}", "Bearer {} x"])
def test_another_scheme_is_no_token(server, header):
    text = header.format(tokens.token("alice"))
    assert server.request("GET", "/v1/rooms", headers={"Authorization": text}).status == 401


def test_issuer_and_audience_are_checked_when_configured(start):
    server = start(auth__issuer="https://id.example", auth__audience="chat")
    good = {"iss": "https://id.example", "aud": "chat"}
    assert status_of(server, tokens.token("a", **good)) == 200
    assert status_of(server, tokens.token("a", **dict(good, aud=["x", "chat"]))) == 200
    for wrong in ({}, {"iss": "https://id.example"}, {"aud": "chat"}, dict(good, iss="x"),
                  dict(good, aud="chat2"), dict(good, aud=["x"]), dict(good, aud=[]),
                  dict(good, iss=["https://id.example"]), dict(good, aud={"chat": 1})):
        assert status_of(server, tokens.token("a", **wrong)) == 401, wrong


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def keys():
    return {"RS256": rsa.generate_private_key(65537, 2048), "EdDSA": ed25519.Ed25519PrivateKey
            .generate(), "ES256": ec.generate_private_key(ec.SECP256R1())}


def test_public_keys_from_pem(start, tmp_path, keys):
    file = tmp_path / "keys.pem"
    file.write_bytes(b"".join(pem(key) for key in keys.values()))
    server = start(auth__public_keys=file, auth__secret=None)
    for algorithm, key in keys.items():
        made = jwt.encode(claims_of("alice"), key, algorithm)
        assert status_of(server, made) == 200, algorithm
        head, body, signature = made.split(".")
        flipped = ("B" if signature[10] == "A" else "A")
        assert status_of(server, f"{head}.{body}.{signature[:10]}{flipped}{signature[11:]}") == 401
    for key in keys.values():
        for secret in (pem(key).decode(), pem(key).decode().strip()):
            assert status_of(server, sign_hs256(HS256, claims_of("m"), secret)) == 401
    assert status_of(server, tokens.token("m")) == 401, "no secret is configured"
    strangers = {"RS256": rsa.generate_private_key(65537, 2048),
                 "ES256": ec.generate_private_key(ec.SECP256R1()),
                 "ES384": ec.generate_private_key(ec.SECP384R1()), "RS512": keys["RS256"],
                 "PS256": keys["RS256"], "EdDSA": ed25519.Ed25519PrivateKey.generate()}
    for algorithm, key in strangers.items():
        assert status_of(server, jwt.encode(claims_of("m"), key, algorithm)) == 401, algorithm
    der = der_signed(keys["ES256"], claims_of("m"))
    assert status_of(server, der) == 401, "ES256 signatures are raw"


def der_signed(key, claims):
    from cryptography.hazmat.primitives import hashes
    text = f"{tokens.part({'alg': 'ES256'})}.{tokens.part(claims)}"
    return f"{text}.{b64url(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))}"


def jwks(keys):
    """A set with the kids r, e and o (an oct key)."""
    rs = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(keys["RS256"].public_key()))
    point = keys["ES256"].public_key().public_numbers()
    es = {"kty": "EC", "crv": "P-256", "x": b64url(point.x.to_bytes(32, "big")),
          "y": b64url(point.y.to_bytes(32, "big"))}
    ed = {"kty": "OKP", "crv": "Ed25519", "x": b64url(keys["EdDSA"].public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw))}
    return [dict(rs, kid="r", alg="RS256", use="sig"), dict(es, kid="e", alg="ES256"),
            dict(ed, kid="d", alg="EdDSA")]


def test_keys_from_jwks_by_kid_and_reloaded(start, tmp_path, keys):
    file, all_keys = tmp_path / "jwks.json", jwks(keys)
    file.write_text(json.dumps({"keys": all_keys[:2]}))
    server = start(auth__jwks_file=file, auth__secret=None)

    def made(algorithm, kid):
        return jwt.encode(claims_of("alice"), keys[algorithm], algorithm, headers={"kid": kid})
    assert status_of(server, made("RS256", "r")) == 200
    assert status_of(server, made("ES256", "e")) == 200
    for kid in ("e", "x", "../../etc/passwd", "' or 1=1", "r\u0000", "r" * 3000):
        assert status_of(server, made("RS256", kid)) == 401, kid
    assert status_of(server, made("EdDSA", "d")) == 401
    file.write_text(json.dumps({"keys": all_keys[1:]}))
    server.signal(1)
    wait_until(lambda: status_of(server, made("EdDSA", "d")) == 200, "the new key counts")
    assert status_of(server, made("RS256", "r")) == 401, "the old one no longer"
    file.write_text("{")
    server.signal(1)
    wait_until(lambda: "jwks" in server.log(), "the fault is logged")
    assert status_of(server, made("EdDSA", "d")) == 200, "a bad file changes nothing"


def test_401_of_a_stream_comes_after_a_pause(server):
    begin = time.monotonic()
    with Stream(server.address, "/v1/events", token="nonsense", expect=401) as stream:
        stream.head()
        assert time.monotonic() - begin >= 0.9
    begin = time.monotonic()
    many = [Stream(server.address, "/v1/events", token="x", expect=401) for _ in range(30)]
    for stream in many:
        stream.head()
        stream.close()
    assert time.monotonic() - begin < 15, "a timer, not a thread that sleeps"


def test_a_guest_may_read_what_is_public_and_nothing_else(server, names):
    alice = server.user(names("alice"))
    public, private = alice.create(names("room")), alice.create(names("room"), kind="private")
    sent = alice.send(public)
    guest = server.user("guest", scope="guest")
    with guest.stream(rooms=public) as stream:
        stream.open()
        assert alice.send(public)["id"] == stream.take().id
    history = guest.get(path("v1", "rooms", public, "messages")).expect(200).json
    assert sent["id"] in [message["id"] for message in history["messages"]]
    assert guest.get(path("v1", "rooms", private, "messages")).status == 404
    for method, target, body in (("POST", path("v1", "rooms", public, "join"), None),
                                 ("POST", path("v1", "rooms", public, "messages"), {"text": "x"}),
                                 ("PUT", path("v1", "rooms", names("new")), {}),
                                 ("POST", "/v1/rooms", {}),
                                 ("POST", "/v1/acks", {"cursor": "0-0", "device": "d"})):
        answer = guest.request(method, target, body)
        assert answer.status == 403, (method, target, answer)


def test_development_tokens(start, server):
    assert server.request("POST", "/v1/dev/token", {"userId": "alice"}).status in (403, 404)
    dev = start(auth__dev_tokens="yes")
    made = dev.request("POST", "/v1/dev/token", {"userId": "alice", "name": "Alice"}).expect(200)
    assert status_of(dev, made.json["token"]) == 200
    for body in ({}, {"userId": "a b"}, {"userId": 7}, {"userId": "a", "name": "x" * 300}):
        assert dev.request("POST", "/v1/dev/token", body).status == 400, body
