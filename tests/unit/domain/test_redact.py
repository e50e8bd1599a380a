"""A secret inside any text is taken out of it; ordinary text stays as it is."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.domain.redact import HIDDEN, redact
from controller.domain.runs import RunState
from controller.ports import RunEnd
from workers.failure import Failure, described

_SAFE = string.ascii_letters + string.digits + "-_.~+/"
_PLACES = (
    "postgresql://scott:{}@db.example.org:5432/flights",
    "redis://:{}@10.0.0.7:6379/0",
    "https://{}@github.example.org/team/rules.git",
    "amqp://guest:p@{}@broker/v",
    "password={}",
    "password: {}",
    "PASSWORD = '{}'",
    'password="{}"',
    "db_password:={}",
    "DATABASE_PASSWORD={}",
    "dbpassword={}",
    "PWD={{{}}};UID=sa",
    "Server=x;Uid=y;Pwd={};",
    "passphrase => '{}'",
    '{{"api_key": "{}"}}',
    "{{'apiKey': '{}'}}",
    '{{\\"secret\\": \\"{}\\"}}',
    "('password', '{}')",
    "os.environ['AWS_SECRET_ACCESS_KEY'] = '{}'",
    "aws_secret_access_key={}",
    "x-api-key: {}",
    "Authorization: Bearer {}",
    "Authorization: token {}",
    "{{'Authorization': 'Basic {}'}}",
    "got bearer {} instead",
    "access_token={}&x=1",
    "accessToken: {}",
    "refresh-token={}",
    "token: {}",
    "client_secret={}",
    "https://x.example.org/a?X-Amz-Signature={}&b=1",
    "https://x.blob.example.org/a?sv=1&sig={}",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=c",
    "Endpoint=sb://x/;SharedAccessKey={}",
    "psql --password {} -h x",
    "tool --api-key={}",
    "tool --access-token {}",
    "CREATE USER x IDENTIFIED BY '{}'",
    "the password is '{}'",
    "wrong password '{}' for scott",
    "password=b'{}'",
    "Pw(user='x', password='{}')",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{}",
    "https://hooks.example.org/services/{}",
)
_SECRET = st.text(_SAFE, min_size=12, max_size=40).map(lambda t: "Zq9" + t + "7xK")
_AROUND = st.text(min_size=0, max_size=60)


@given(before=_AROUND, place=st.sampled_from(_PLACES), secret=_SECRET, after=_AROUND)
@example(before="", place="token: {}", secret="Zq9aaaaaaaaaaaa7xK", after="")
def test_a_planted_secret_never_survives(before: str, place: str, secret: str, after: str) -> None:
    if "//{}@" in place:
        secret = secret.replace("/", "-")  # a name before the @ holds none
    text = f"{before} {place.format(secret)} {after}"
    assert secret not in redact(text)
    assert secret not in RunEnd(state=RunState.FAILED, reason=text).reason
    assert secret not in str(Failure(text))
    assert secret not in described(ValueError(text))


@given(
    secret=st.sampled_from(
        (
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_" + "a1B2" * 9,
            "glpat-" + "a1B2c" * 4,
            "xoxb-" + "123456789012-abcdef",
            "sk-proj-" + "a1B2" * 8,
            "hf_" + "a1B2" * 8,
            "AIza" + "a1B2-" * 7,
            "inc_" + "a1B2" * 8,
            "whsec_" + "a1B2" * 6,
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWl0",
        )
    ),
    before=_AROUND,
    after=_AROUND,
)
def test_a_known_kind_of_token_needs_no_name(secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before} {secret} {after}")


@given(words=st.lists(st.sampled_from((
    "KeyError: 'distance'", "column", "has", "max_tokens=512", "n_tokens: 7", "expected 3, got 5",
    "passenger_count: 5", "bypass: yes", "compass=3", "sigma=0.5", "significance: 0.01", "design: blue",
    "tokenizer=bert", "keyword=3", "the token was spent", "unexpected token: '}'", "primary key: id",
    "https://example.org/a/b?page=3#x", "s3://bucket/flights/2013.parquet", "no password was given",
    "a two-pass training", "basic training", "bearer of bad news", "mail ann@example.org", "x=1; y=2",
    "secretary: Ann", "ValueError: key 'token' missing", "pass 3 of 7", 'File "train.py", line 7',
    "é", "日本", "\t", "0x7f", "key=carrier",
)), max_size=12))  # fmt: skip
def test_ordinary_text_stays(words: list[str]) -> None:
    text = "\n".join(words)
    assert redact(text) == text


@pytest.mark.parametrize(
    "part", ["a", "a-", "http://", "x:y@", "password ", "pass", "a:", 'token="', "eyJ-", "--a-"]
)
def test_no_text_takes_long(part: str) -> None:
    """Linear: ten times the text never makes it a hundred times the steps; it ends at all."""
    redact(part * (20_000 // len(part)))


def test_a_secret_that_is_cut_is_hidden_before_the_cut() -> None:
    secret = "Zq9" + "a1B2" * 9
    said = described(ValueError("x" * 280 + f" postgresql://u:{secret}@h/db"))
    assert secret[:6] not in said
    assert HIDDEN in said
