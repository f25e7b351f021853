"""FastAPI and redis-py, as the field writes them, against `yeoul serve` or Redis.

Producer: POST /publish puts the body into field `data` of `user-stream`, in Python's notation (`str`, not JSON).
Consumer: a task reads `reply-stream` in group `python-group` and acknowledges; GET /replies shows what came.
"""
import asyncio
import os
from contextlib import suppress
from typing import Any

import redis.asyncio as redis
from fastapi import FastAPI
from redis.exceptions import ResponseError

app = FastAPI()
client = redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6390"), decode_responses=True)
replies: list[dict[str, str]] = []


@app.post("/publish")
async def publish(payload: dict[str, Any]) -> dict[str, str]:
    return {"id": await client.xadd("user-stream", {"data": str(payload)})}


@app.get("/replies")
async def received() -> list[dict[str, str]]:
    return replies


async def consume() -> None:
    with suppress(ResponseError):  # the group is there already
        await client.xgroup_create("reply-stream", "python-group", id="0", mkstream=True)
    while True:
        for _, entries in await client.xreadgroup("python-group", "python-1", {"reply-stream": ">"}, count=10, block=1000):
            for entry_id, fields in entries:
                replies.append({"id": entry_id, **fields})
                await client.xack("reply-stream", "python-group", entry_id)


@app.on_event("startup")
async def start() -> None:
    app.state.consumer = asyncio.create_task(consume())


@app.on_event("shutdown")
async def stop() -> None:
    app.state.consumer.cancel()
    with suppress(asyncio.CancelledError):
        await app.state.consumer
    await client.close()
