"""OpenID Connect: people log in where the organisation knows them (authorization code with PKCE, RFC 7636).

Authlib speaks the protocol. What an identity token claims is believed only after its signature, issuer, audience,
times and nonce were checked; its algorithms are asymmetric ones, whatever the provider offers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from controller.adapters.answers import read_answer
from controller.domain.errors import ConfigurationError, NotLoggedIn, Unavailable
from controller.domain.names import is_one_alphabet

log = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
_TIMEOUT = 10.0
_KEPT = 3600.0
_LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
_AT_HOME = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIdConfig:
    """What the operator says of the provider. ``name_claim`` names a person; users must not be able to choose it."""

    issuer: str
    client_id: str
    client_secret: str
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    scope: str = "openid profile email"

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        at_home = parts.scheme == "http" and parts.hostname in _AT_HOME
        if parts.scheme != "https" and not at_home:
            raise ConfigurationError(
                f"The OpenID issuer is {self.issuer}, expected an https address.",
                hint="Set INCUMBENT_OIDC_ISSUER to what the provider calls its issuer.",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A login that was begun: where the person goes, and what the callback is held against."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginIdentity:
    """Who logged in, and the groups that the provider knows them in."""

    actor: str
    groups: tuple[str, ...]


class OpenIdProvider:
    """One provider. What it says of itself is fetched when it is needed, and again after an hour."""

    def __init__(self, config: OpenIdConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Any]] = {}

    def begin(self, redirect_uri: str) -> Begun:
        """Where to send the person; Unavailable if the provider does not answer."""
        from authlib.common.security import generate_token

        nonce, verifier = generate_token(43), generate_token(64)
        with self._session(redirect_uri) as session:
            url, state = session.create_authorization_url(
                self._metadata()["authorization_endpoint"], nonce=nonce, code_verifier=verifier
            )
        return Begun(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(self, begun: Begun, callback: str, redirect_uri: str) -> LoginIdentity:
        """Who came back to ``callback``; NotLoggedIn if the provider or its token says otherwise."""
        from authlib.integrations.base_client import OAuthError

        metadata = self._metadata()
        try:
            with self._session(redirect_uri, begun.state) as session:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    authorization_response=callback,
                    code_verifier=begun.verifier,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    hooks={"response": _bounded},
                    stream=True,
                )
        except OAuthError as error:
            said = error.description or error.error
            raise NotLoggedIn(
                f"The identity provider refused: {said}.", hint="Try again."
            ) from None
        except requests.RequestException as error:
            raise self._away(error) from error
        claims = self._verified(token, begun.nonce)
        return self._identity({**self._userinfo(metadata, token, claims), **claims})

    def _session(self, redirect_uri: str, state: str | None = None) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        config = self._config
        return OAuth2Session(
            config.client_id,
            config.client_secret,
            scope=config.scope,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge_method="S256",
        )

    def _verified(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        text = token.get("id_token")
        if not isinstance(text, str):
            raise NotLoggedIn(
                "The identity provider gave no identity token.", hint="Ask for the scope openid."
            )
        try:
            decoded = self._decoded(jwt, text)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"value": self._config.issuer}, "aud": {"value": self._config.client_id}},
                {
                    "nonce": nonce,
                    "client_id": self._config.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(now=int(time.time()), leeway=_LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "an identity token was refused", extra={"action": "login", "why": str(error)}
            )
            raise NotLoggedIn(
                f"The identity token cannot be believed: {_why(error)}.",
                hint="The clock of this server, the issuer and the client id must be right.",
            ) from None
        return dict(claims)

    def _decoded(self, jwt: Any, text: str) -> Any:
        """The token, held against the provider's keys; they are fetched again once, for providers change them."""
        from joserfc.errors import JoseError

        try:
            return jwt.decode(text, self._keys(), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            self._kept.pop("keys", None)
            return jwt.decode(text, self._keys(), algorithms=list(ALGORITHMS))

    def _keys(self) -> Any:
        from joserfc.jwk import KeySet

        shown: Any = self._fetched("keys", self._metadata()["jwks_uri"])
        return KeySet.import_key_set(shown)

    def _userinfo(
        self, metadata: Mapping[str, Any], token: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What the provider says of the person beside the token, where the token itself says too little."""
        wanted = {self._config.name_claim, self._config.groups_claim}
        place = metadata.get("userinfo_endpoint")
        if wanted <= claims.keys() or not place:
            return {}
        try:
            answer = requests.get(
                place,
                headers={"authorization": f"Bearer {token['access_token']}"},
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
            answer = read_answer(answer, self._config.issuer)
            found = answer.json() if answer.status_code == 200 else {}
        except (requests.RequestException, ValueError, RecursionError, Unavailable):
            return {}
        same = isinstance(found, dict) and found.get("sub") == claims["sub"]
        return found if same else {}

    def _identity(self, claims: Mapping[str, Any]) -> LoginIdentity:
        name = claims.get(self._config.name_claim)
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise NotLoggedIn(
                f"The identity provider names no {self._config.name_claim}.",
                hint="Set INCUMBENT_OIDC_NAME_CLAIM to a claim that it gives.",
            )
        if not is_one_alphabet(name):
            raise NotLoggedIn(
                f"The identity provider calls this person {name[:80]!a}, which mixes alphabets.",
                hint="Set INCUMBENT_OIDC_NAME_CLAIM to a claim that nobody can choose freely.",
            )
        groups = claims.get(self._config.groups_claim)
        found = (
            [g for g in groups if isinstance(g, str) and g.isprintable()]
            if isinstance(groups, list)
            else []
        )
        return LoginIdentity(actor=f"person:{name.strip()}", groups=tuple(found[:200]))

    def _metadata(self) -> Mapping[str, Any]:
        place = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._fetched("metadata", place)
        if found.get("issuer") != self._config.issuer:
            raise ConfigurationError(
                f"{place} calls itself {found.get('issuer')!r}, expected {self._config.issuer!r}.",
                hint="INCUMBENT_OIDC_ISSUER must be exactly what the provider calls itself.",
            )
        return found

    def _fetched(self, name: str, place: str) -> Mapping[str, Any]:
        with self._lock:
            at, kept = self._kept.get(name, (0.0, None))
            if kept is not None and time.monotonic() - at < _KEPT:
                return dict(kept)
            try:
                answer = requests.get(place, timeout=_TIMEOUT, allow_redirects=False, stream=True)
                answer.raise_for_status()
                found = read_answer(answer, f"The identity provider at {place}").json()
            except (requests.RequestException, ValueError, RecursionError) as error:
                raise self._away(error) from error
            if not isinstance(found, dict):
                raise self._away(ValueError("no JSON object"))
            self._kept[name] = (time.monotonic(), found)
            return dict(found)

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"The identity provider {self._config.issuer} does not answer: {type(error).__name__}.",
            hint="Try again in a moment, or log in with a token.",
        )


def _why(error: Exception) -> str:
    said = getattr(error, "description", "") or str(error) or type(error).__name__
    return str(said).strip().rstrip(".")


def _bounded(answer: requests.Response, **_: Any) -> requests.Response:
    return read_answer(answer, "The identity provider")
