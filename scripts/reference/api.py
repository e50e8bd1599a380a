"""`docs/reference/api.md`, from the OpenAPI document that the server itself serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.adapters.memory import MemoryStore
from controller.entrypoints.api.app import create_app, open_app_context
from controller.settings import Settings
from scripts.reference.tables import MADE, code, table

_INTRODUCTION = f"""\
# The API

{MADE}

The page and the API are served by `incumbent up` or `incumbent api`. The same as OpenAPI 3.1 is at
`/v1/openapi.json`. A token comes from `incumbent token create` and goes into `Authorization: Bearer TOKEN`; what it
may do is the lesser of its own role and its bearer's.

- Lists come newest first: `items`, and `next` where there is more; it goes into `before` of the next request.
- Every write takes an `Idempotency-Key`; the same key is the same write, however often it is sent.
- Every error is problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with `code` and `hint`.
- Reads carry an `ETag`; `If-None-Match` saves the body.

Below, *may fail with* leaves out what any request can get: 400, 401, 403, 404, 405, 422, 429, 503.
"""
_ANYWHERE = {"400", "401", "403", "404", "405", "406", "413", "415", "422", "429", "500", "503"}


def document() -> dict[str, Any]:
    """The OpenAPI document of a server without any state."""
    settings = Settings.model_construct(
        **{name: field.get_default() for name, field in Settings.model_fields.items()}
        | {"page_key": None}
    )
    app = create_app(open_app_context(settings, MemoryStore(), key="none", artifacts=None))
    found: dict[str, Any] = app.openapi()
    return found


def api_page() -> str:
    """Every route with its parameters, body and answer, then every shape."""
    whole = document()
    lines = [_INTRODUCTION, "## Routes", ""]
    for path, methods in sorted(whole["paths"].items()):
        for method, route in sorted(methods.items()):
            lines += _route(path, method.upper(), route)
    lines += ["## Shapes", ""]
    for name, shape in sorted(whole["components"]["schemas"].items()):
        lines += _shape(name, shape)
    return "\n".join(lines)


def _route(path: str, method: str, route: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {method} {path}", "", f"{route.get('summary', '')}.", "")
    if said := route.get("description", "").strip():
        yield from (said, "")
    rows = [
        (code(one["name"]), one["in"], _type(one["schema"]), _said(one))
        for one in route.get("parameters", [])
        if one["in"] != "cookie"
    ]
    if rows:
        yield from table(("parameter", "in", "type", "what for"), rows)
    if body := route.get("requestBody"):
        kinds = ", ".join(
            f"{_type(content.get('schema', {}))} as `{media}`"
            for media, content in body["content"].items()
        )
        yield from (f"Body: {kinds}.", "")
    answers = [
        f"{status} {_answer(answer)}".strip()
        for status, answer in sorted(route["responses"].items())
        if status not in _ANYWHERE
    ]
    yield from (f"Answers: {'; '.join(answers)}.", "")


def _answer(answer: dict[str, Any]) -> str:
    kinds = {
        _type(content.get("schema", {})) or media
        for media, content in answer.get("content", {}).items()
    }
    return ", ".join(sorted(kinds))


def _said(parameter: dict[str, Any]) -> str:
    said: str = parameter.get("description", "") or parameter["schema"].get("description", "")
    default = parameter["schema"].get("default")
    needed = "Required. " if parameter.get("required") and parameter["in"] != "path" else ""
    return needed + said + (f" Default: {code(str(default))}." if default is not None else "")


def _shape(name: str, shape: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {name}", "")
    if said := shape.get("description", "").strip():
        yield from (said, "")
    if "enum" in shape:
        yield from (", ".join(code(str(value)) for value in shape["enum"]) + ".", "")
        return
    needed = set(shape.get("required", []))
    rows = [
        (code(key), _type(one), "yes" if key in needed else "", one.get("description", ""))
        for key, one in shape.get("properties", {}).items()
    ]
    if rows:
        yield from table(("field", "type", "always", "what for"), rows)


def _type(schema: dict[str, Any]) -> str:
    """A JSON Schema in words, shapes as links."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        said = [_type(part) for part in parts if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(said))
    if "enum" in schema:
        return ", ".join(code(str(value)) for value in schema["enum"])
    if "const" in schema:
        return code(str(schema["const"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    kind = str(schema.get("type", ""))
    return {"date-time": "time", "binary": "bytes"}.get(schema.get("format", ""), kind)
