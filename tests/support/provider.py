"""A real OpenID Connect provider on a free port: Authlib's server side over Flask, with keys of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc.jwk import KeySet, RSAKey

from tests.support.serving import serving

CLIENT, SECRET = "incumbent", "a secret of the test"


@dataclass
class Person:
    """Somebody the provider knows."""

    sub: str
    claims: Mapping[str, Any]

    def get_user_id(self) -> str:
        return self.sub


@dataclass
class Code:
    """A code that was given out, good once."""

    code: str
    user: Person
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    auth_time: int = field(default_factory=lambda: int(time.time()))

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Client:
    """Our server, as the provider has registered it."""

    client_id = CLIENT
    id_token_signed_response_alg = "RS256"

    def __init__(self, redirects: list[str]) -> None:
        self._redirects = redirects

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str | None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, uri: str) -> bool:
        return uri.endswith("/oidc/callback")

    def check_client_secret(self, secret: str) -> bool:
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind == "authorization_code"


@dataclass
class Provider:
    """The provider while it runs. ``signed_in`` is who sits at the browser; the rest spoils what it says."""

    url: str
    people: dict[str, Person]
    signed_in: str | None = "ana"
    skew: int = 0
    audience: str = CLIENT
    issuer: str = ""
    nonce: str | None = None
    key: Any = field(default_factory=lambda: RSAKey.generate_key(2048, auto_kid=True))
    published: Any = None
    """The key that it shows, where that is another one."""
    codes: dict[str, Code] = field(default_factory=dict)


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that knows ana (leads), eve (nobody's group) and a person without a name."""
    people = {
        "ana": Person("1", {"preferred_username": "ana", "groups": ["leads"]}),
        "eve": Person("2", {"preferred_username": "eve"}),
        "nameless": Person("3", {}),
        "alike": Person("4", {"preferred_username": "\u0430na"}),
    }
    app = Flask("provider")
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    provider = Provider(f"http://127.0.0.1:{server.server_port}", people)
    _routes(app, provider)
    with serving(server):
        yield provider


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """A test prints nothing of it."""


class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """The authorization code, kept in the provider."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

    def save_authorization_code(self, code: str, request: Any) -> Any:
        asked = request.payload
        kept = Code(
            code, request.user, asked.redirect_uri, asked.scope, asked.data.get("nonce"),
            asked.data.get("code_challenge"), asked.data.get("code_challenge_method"),
        )  # fmt: skip
        self.server.provider.codes[code] = kept
        return kept

    def query_authorization_code(self, code: str, client: Any) -> Any:
        return self.server.provider.codes.get(code)

    def delete_authorization_code(self, code: Any) -> None:
        self.server.provider.codes.pop(code.code)

    def authenticate_user(self, code: Any) -> Any:
        return code.user


class IdToken(OpenIDCode):  # type: ignore[misc]
    """What the provider says of a person, spoiled as the test wants it."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self._provider = provider

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def resolve_client_private_key(self, client: Any) -> Any:
        return self._provider.key

    def get_encode_header(self, client: Any) -> dict[str, Any]:
        shown = self._provider.published or self._provider.key
        return {"alg": "RS256", "kid": shown.kid}

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        spoilt = self._provider
        now = int(time.time()) + spoilt.skew
        issuer = spoilt.issuer or spoilt.url
        return {"iss": issuer, "aud": [spoilt.audience], "iat": now, "exp": now + 300}

    def get_authorization_code_claims(self, code: Any) -> dict[str, Any]:
        found = dict(super().get_authorization_code_claims(code))
        return found | ({"nonce": self._provider.nonce} if self._provider.nonce else {})

    def generate_user_info(self, user: Person, scope: str) -> dict[str, Any]:
        return {"sub": user.sub, **user.claims}


def _kept_nowhere(token: Any, request: Any) -> None:
    """Nobody uses the access token."""


def _routes(app: Flask, provider: Provider) -> None:
    clients = {CLIENT: Client([])}
    server = AuthorizationServer(app, query_client=clients.get, save_token=_kept_nowhere)
    server.provider = provider
    server.register_grant(CodeGrant, [IdToken(provider), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def metadata() -> Response:
        return jsonify({
            "issuer": provider.url, "authorization_endpoint": f"{provider.url}/authorize",
            "token_endpoint": f"{provider.url}/token", "jwks_uri": f"{provider.url}/keys",
        })  # fmt: skip

    @app.get("/keys")
    def keys() -> Response:
        shown = provider.published or provider.key
        return jsonify(KeySet([shown]).as_dict(private=False))

    @app.get("/authorize")
    def authorize() -> Any:
        who = provider.people.get(provider.signed_in or "")
        grant = server.get_consent_grant(end_user=who)
        return server.create_authorization_response(grant_user=who, grant=grant)

    @app.post("/token")
    def token() -> Any:
        assert request.form["code_verifier"]
        return server.create_token_response()
