"""Tokens made by hand, so that also those can be made that no library would make."""
import base64
import hashlib
import hmac
import json
import time

SECRET = "a-secret-for-tests-of-32-bytes-or-more"


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(value):
    """A JSON value, or bytes as they are, as one part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return b64url(raw)


def sign_hs256(header, claims, secret=SECRET):
    text = f"{part(header)}.{part(claims)}"
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{b64url(mac)}"


def claims_of(user, ttl=3600, **more):
    """`more` adds claims; a value of None leaves one out."""
    now = int(time.time())
    claims = {"sub": user, "iat": now, "exp": now + ttl}
    claims.update(more)
    return {name: value for name, value in claims.items() if value is not None}


def token(user, ttl=3600, secret=SECRET, **more):
    return sign_hs256({"alg": "HS256", "typ": "JWT"}, claims_of(user, ttl, **more), secret)
