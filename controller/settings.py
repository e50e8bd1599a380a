"""The settings of every process: flag over environment over file over default, each documented here and nowhere else.

The file is ``incumbent.toml`` in the working folder, or the one that ``INCUMBENT_CONFIG`` names. Environment
variables are the field's name in capitals after ``INCUMBENT_``. A secret may come from a file: put its path into
the variable's name followed by ``_FILE``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from controller.domain.errors import ConfigurationError

ENV_PREFIX = "INCUMBENT_"


class Settings(BaseSettings):
    """What an operator decides, as opposed to what a team reviews in a policy."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(
        Path(".incumbent"),
        description="Folder of the embedded default: database, artifacts, broker.",
    )
    home_access: Literal["owner", "group"] = Field(
        "owner",
        description="Who may use the files of home: its owner alone (0700, 0600), or the members of its folders' group"
        " too (0770, 0660). Other rights are taken away when a process starts.",
    )
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the database. Default: SQLite, incumbent.db in home."
    )
    broker_url: SecretStr | None = Field(
        None, description="URL of Redis, Valkey or RabbitMQ. Default: a private Valkey in home."
    )
    artifacts_url: str | None = Field(
        None,
        description="Where artifacts are stored: a folder or an fsspec URL. Default: artifacts in home.",
    )
    rules: str = Field(
        "rules",
        description="Folder of policies, or a git repository (path or URL) with review set.",
    )
    review: Path | None = Field(
        None,
        description="File (TOML) that says who reviews rules and where; without it rules act unreviewed.",
    )
    code: Path = Field(
        Path(), description="Folder from which entry points are imported by training processes."
    )
    mode: Literal["enforce", "audit"] = Field(
        "enforce", description="audit: every policy decides and records, and nothing is changed."
    )
    tick: float = Field(0.2, gt=0, le=60, description="Seconds between two looks at the inbox.")
    poll: float = Field(
        5.0, gt=0, description="Seconds between two looks at a data source, at best."
    )
    source_places: str = Field(
        "",
        description="What the sources of policies may lead to, as beginnings of addresses separated by commas: folders,"
        " s3://bucket/, https://host/, sql:NAME, iceberg:CATALOG; * for the default. Default: anything but web servers"
        " on this machine, its link and metadata services.",
    )
    sync: float = Field(2.0, gt=0, description="Seconds between two looks at the rules.")
    lease: float = Field(
        60.0,
        ge=0.5,
        le=3600,
        description="Seconds of silence after which a run is taken back.",
    )
    inbox: int = Field(
        500,
        ge=10,
        le=800,
        description="Signals of one model that may wait for an answer; beyond that new ones are refused.",
    )
    outbox: int = Field(
        10_000,
        ge=10,
        description="Ordered runs that may wait for a worker; beyond that none is ordered.",
    )
    lead: float = Field(
        5.0,
        ge=1,
        le=60,
        description="Seconds after which another controller takes over from one that is silent (PostgreSQL).",
    )
    resend: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Seconds after which a message to workers that nobody answered is sent again.",
    )
    grace: float = Field(
        10.0, ge=0, description="Seconds that a training has to end when it is told to."
    )
    worker_name: str | None = Field(
        None, description="Name of the worker. Default: host and process id."
    )
    worker_queues: str = Field(
        "default", description="Queues that the worker serves, separated by commas."
    )
    worker_concurrency: int = Field(1, ge=1, description="Runs that a worker does at once.")
    worker_preload: str = Field(
        "", description="Modules that training processes find loaded, separated by commas."
    )
    worker_secrets: Path | None = Field(
        None,
        description="Folder of secrets whose files policies may name (params.token_file). Default: none may be named.",
    )
    worker_clock: Literal["real", "ordered"] = Field(
        "real",
        description="ordered: a run ends at the time of its order plus its seconds, as a simulated year needs.",
    )
    groups: dict[str, list[str]] = Field(
        {},
        description="Who belongs to which group, as names or person:NAME; policies name groups that may approve.",
    )
    roles: dict[str, list[str]] = Field(
        {},
        description="Who may do what: viewer, reviewer, operator or admin, or ROLE@OWNER for the models of one"
        " owner; as names, group:NAME, or * for everybody who is logged in.",
    )
    isolation: Literal["none", "owner"] = Field(
        "none",
        description="owner: who has roles for some owners' models only reads those models only; none: everybody who"
        " has a role reads all models.",
    )
    url: str | None = Field(
        None,
        description="Address of a server: commands that read or say something work on it over its API.",
    )
    token: SecretStr | None = Field(
        None, description="The token that commands show the server at url."
    )
    host: str = Field("127.0.0.1", description="Address that the page and the API listen on.")
    port: int = Field(8321, ge=0, le=65535, description="Their port; 0: any free one.")
    page_url: str | None = Field(
        None,
        description="Where people reach the page, for links in messages. Default: host and port.",
    )
    login: Literal["link", "token", "oidc", "none"] = Field(
        "link",
        description="How people log in: by the one-time link that the start prints (127.0.0.1 only), with an API"
        " token, at an OpenID Connect provider, or not at all: then everybody may read, and on 127.0.0.1 do"
        " everything.",
    )
    oidc_issuer: str | None = Field(
        None, description="What the OpenID Connect provider calls itself, an https address."
    )
    oidc_client_id: str | None = Field(None, description="What the provider calls this server.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="The secret that this server shows the provider."
    )
    oidc_name_claim: str = Field(
        "preferred_username",
        description="The claim that names a person in roles, groups and the log; one that users cannot choose.",
    )
    oidc_groups_claim: str = Field(
        "groups",
        description="The claim that lists a person's groups; roles name them as group:NAME.",
    )
    oidc_scope: str = Field("openid profile email", description="What is asked of the provider.")
    page_key: SecretStr | None = Field(
        None,
        description="Signs sessions and the links of messages; the same for all processes that send or serve."
        " Default: made once, in home.",
    )
    webhook_secret: SecretStr | None = Field(
        None, description="Signs CloudEvents of senders that have no token (HMAC-SHA256)."
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Marks what people say (HMAC-SHA256): for the API, controllers and command lines, never for"
        " workers. Several keys are separated by spaces or lines; the first one signs. Default on SQLite: made once,"
        " beside the database; on PostgreSQL: signals are not marked.",
    )
    anchor_key: SecretStr | None = Field(
        None,
        description="Signs the anchors of the chain (HMAC-SHA256); keep it out of the database's reach.",
    )
    prometheus_url: str | None = Field(
        None, description="Prometheus that the queries of `rollback.when` are asked of."
    )
    prometheus_token: SecretStr | None = Field(
        None, description="Bearer token for it, where it wants one."
    )
    api_rate: float = Field(
        50.0,
        gt=0,
        description="Requests a second of one caller, over a minute; bursts may be longer.",
    )
    api_body: int = Field(1_000_000, gt=0, description="Largest body of a request, in bytes.")
    api_streams: int = Field(1000, ge=0, description="Event streams that may be open at once.")
    notify: Path | None = Field(
        None,
        description="File (TOML) that says where the channels of policies lead, and how they are spoken to."
        " Default: messages are only logged.",
    )
    mlflow: Literal["free", "governed", "off"] = Field(
        "free",
        description="What MLflow's clients find here: governed models and free ones that they keep themselves, only"
        " governed ones, or nothing.",
    )
    registry: str | None = Field(
        None,
        description="A team's MLflow server where governed versions and the champion are published:"
        " mlflow://host:5000, or mlflow+https://host. Default: our own registry alone.",
    )
    registry_token: SecretStr | None = Field(
        None, description="Token of that server, or user:password."
    )
    registry_drift: Literal["hold", "adopt", "restore"] = Field(
        "hold",
        description="What follows when somebody moves the alias champion over there and the policy is silent:"
        " automatic promotion is on hold until a person decides, their move is taken over, or ours is written again.",
    )
    registry_adopt: bool = Field(
        True,
        description="Whether a move over there may be taken over at all; where not, a policy that asks for it holds.",
    )
    registry_webhook_secret: SecretStr | None = Field(
        None,
        description="Signs the webhooks of that server (/v1/events/mlflow); they only bring the next look forward."
        " Default: none are taken.",
    )
    registry_watch: float = Field(
        5.0, gt=0, description="Seconds between two looks at the alias over there."
    )
    registry_timeout: float = Field(
        10.0, gt=0, le=300, description="Seconds that the other server has for an answer."
    )
    parent: int | None = Field(
        None,
        gt=0,
        description="Process id of whoever started this process, and without whom it ends. Default: it outlives"
        " its shell.",
    )
    actor: str | None = Field(
        None, description="Who gives commands, as decisions name them. Default: the login name."
    )
    observe_host: str = Field(
        "127.0.0.1",
        description="Address of the controller's own /healthz, /readyz and /metrics; it knows no logins.",
    )
    observe_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Their port; 0: any free one. Default: they are not served.",
    )
    traces_url: str | None = Field(
        None,
        description="Address of an OpenTelemetry collector (OTLP over HTTP) that traces go to. Default: nowhere.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="What is logged to stderr."
    )
    log_format: Literal["text", "json"] = Field("text", description="How log lines look.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flag, environment, ``*_FILE``, file; the first that knows a value wins."""
        del dotenv_settings, file_secret_settings
        return (
            init_settings,
            env_settings,
            _SecretFiles(settings_cls),
            TomlConfigSettingsSource(settings_cls, toml_file=config_file()),
        )

    @property
    def database(self) -> str:
        """The database's URL; it may hold a password and must not be printed."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home.resolve() / 'incumbent.db'}"

    @property
    def broker(self) -> str | None:
        """The broker's URL, None for the embedded one."""
        return None if self.broker_url is None else self.broker_url.get_secret_value()

    @property
    def page(self) -> str:
        """Where people reach the page, with a slash at its end; the port 0 is known to the server alone."""
        if self.page_url:
            return self.page_url.rstrip("/") + "/"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    @property
    def artifacts(self) -> str:
        """Where artifacts are."""
        return self.artifacts_url or str(self.home.resolve() / "artifacts")

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a child process of ours."""
        values = {
            ENV_PREFIX + name.upper(): _text(value) for name, value in self if value is not None
        }
        return values | {ENV_PREFIX + "HOME": str(self.home.resolve())}


def config_file() -> Path | None:
    """The settings file in force, None if there is none."""
    named = os.environ.get(ENV_PREFIX + "CONFIG")
    if named:
        if not Path(named).is_file():
            raise ConfigurationError(
                f"{ENV_PREFIX}CONFIG names {named}, which is not there.",
                hint="Correct or unset it.",
            )
        return Path(named)
    local = Path("incumbent.toml")
    return local if local.is_file() else None


def load_settings(**flags: Any) -> Settings:
    """The settings, with ``flags`` (None: not given) over everything else; ConfigurationError if they are no good."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"the setting {name or 'file'} cannot be used: {first['msg'].lower()}.",
            hint=_hint(name, first["type"]),
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"the settings cannot be read: {error}.") from None


def _hint(name: str, problem: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only when something is wrong

    if problem != "extra_forbidden":
        return f"It comes from a flag, {ENV_PREFIX}{name.upper()} or the settings file."
    near = get_close_matches(name, Settings.model_fields, n=1)
    return f"Did you mean {near[0]}?" if near else "`incumbent config` lists the settings."


class _SecretFiles(PydanticBaseSettingsSource):
    """``INCUMBENT_DATABASE_URL_FILE=/run/secrets/url``: the value is the file's content."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        path = os.environ.get(f"{ENV_PREFIX}{field_name.upper()}_FILE")
        if path is None:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise ConfigurationError(
                f"{ENV_PREFIX}{field_name.upper()}_FILE names {path}, which cannot be read: {error.strerror}."
            ) from None

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict) else str(value)
