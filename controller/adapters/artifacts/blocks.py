"""An upload to Azure that goes on where it was cut off, also when another process takes it up.

A large artifact goes up in blocks, and is a blob only when their list is committed: until then no reader sees anything
of it, and what nobody commits is forgotten by Azure after a week. A block's name holds the digest of its bytes, so a
second try sends only what is not there.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

from controller.adapters.artifacts.parts import cut, part_size

_NAME = 64
"""Bytes of a block's name; Azure wants the same of all blocks of a blob, and takes no more."""


def takes_blocks(system: Any) -> bool:
    """Whether the file system is Azure's."""
    return hasattr(system, "service_client") and type(system).__module__.startswith("adlfs")


def put_in_blocks(system: Any, path: Path, place: str) -> int:
    """Upload the file to ``place``; how many blocks were sent now."""
    from fsspec.asyn import sync

    sent: int = sync(system.loop, _put, system, path, place)
    return sent


def block_name(number: int, content: bytes) -> str:
    """The name of a block: its place in the artifact and the digest of its bytes, as far as there is room."""
    return f"{number:05}-{hashlib.sha256(content).hexdigest()}"[:_NAME]


async def _put(system: Any, path: Path, place: str) -> int:
    from azure.storage.blob import BlobBlock

    container, key, _ = system.split_path(place)
    wanted, sent = [], 0
    async with system.service_client.get_blob_client(container, key) as client:
        there = await _staged(client)
        for number, content in enumerate(cut(path, part_size(path.stat().st_size)), 1):
            name = block_name(number, content)
            wanted.append(BlobBlock(block_id=name))
            if there.get(name) != len(content):
                await client.stage_block(
                    name, BytesIO(content), len(content), validate_content=True
                )
                sent += 1
        await client.commit_block_list(wanted, metadata={"is_directory": "false"})
    system.invalidate_cache()
    return sent


async def _staged(client: Any) -> dict[str, int]:
    """The sizes of the blocks that were sent and not committed, by name."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        _, waiting = await client.get_block_list("uncommitted")
    except ResourceNotFoundError:
        return {}
    return {block.id: int(block.size) for block in waiting}
