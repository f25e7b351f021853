"""The log by hand, through redis-py: with a blocking client, or with asyncio when called with `asyncio`."""
import asyncio
import sys
import threading

import redis
import redis.asyncio

KIND, PORT = sys.argv[1], int(sys.argv[2])
KEY = f"mystream-{KIND}"


def check(condition, what):
    if not condition:
        raise SystemExit(f"failed: {what}")


def blocking():
    client = redis.Redis(port=PORT, decode_responses=True)
    first = client.xadd(KEY, {"user": "kim", "text": "안녕"}, maxlen=1000, approximate=True)
    check(client.xrange(KEY) == [(first, {"user": "kim", "text": "안녕"})], "xrange")

    got = []
    reader = threading.Thread(
        target=lambda: got.extend(redis.Redis(port=PORT, decode_responses=True).xread({KEY: first}, block=10000))
    )
    reader.start()
    second = client.xadd(KEY, {"text": "second"})
    reader.join()
    check(got == [[KEY, [(second, {"text": "second"})]]], f"blocking xread {got}")

    client.xgroup_create(KEY, "mygroup", id="0")
    try:
        client.xgroup_create(KEY, "mygroup", id="0")
        check(False, "BUSYGROUP")
    except redis.ResponseError as error:
        check("BUSYGROUP" in str(error), str(error))
    read = client.xreadgroup("mygroup", "worker-1", {KEY: ">"}, count=10, block=1000)
    check([entry for entry, _ in read[0][1]] == [first, second], "xreadgroup")
    check(client.xpending(KEY, "mygroup")["pending"] == 2, "xpending")
    check(client.xclaim(KEY, "mygroup", "worker-2", 0, [first])[0][0] == first, "xclaim")
    check(client.xack(KEY, "mygroup", first, second) == 2, "xack")
    check(client.xinfo_groups(KEY)[0]["consumers"] == 2, "xinfo groups")
    check(client.xinfo_stream(KEY)["length"] == 2, "xinfo stream")
    check(client.xautoclaim(KEY, "mygroup", "worker-2", 0)[0] == "0-0", "xautoclaim")

    pipeline = client.pipeline(transaction=False)
    for i in range(5000):
        pipeline.xadd("bulk", {"n": i})
    check(len(pipeline.execute()) == 5000, "pipeline")
    with client.pipeline() as transaction:
        transaction.set("k", "v")
        transaction.get("k")
        check(transaction.execute() == [True, "v"], "transaction")

    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe("room")
    check(channel.get_message(timeout=5) is None, "subscribe")
    client.publish("room", "안녕")
    check(channel.get_message(timeout=5)["data"] == "안녕", "message")


async def asynchronous():
    client = redis.asyncio.Redis(port=PORT, decode_responses=True)
    first = await client.xadd(KEY, {"data": str({"payload": "안녕"})})
    waiting = asyncio.create_task(
        redis.asyncio.Redis(port=PORT, decode_responses=True).xread({KEY: first}, block=10000)
    )
    second = await client.xadd(KEY, {"data": "second"})
    check((await waiting)[0][1][0][0] == second, "blocking xread")
    await client.xgroup_create(KEY, "g", id="0", mkstream=True)
    read = await client.xreadgroup("g", "c", {KEY: ">"}, count=10, block=1000)
    check(len(read[0][1]) == 2, "xreadgroup")
    check(await client.xack(KEY, "g", *[entry for entry, _ in read[0][1]]) == 2, "xack")
    ids = await asyncio.gather(*[client.xadd("crowd", {"n": i}) for i in range(200)])
    check(len(set(ids)) == 200, "concurrent xadd")


if KIND == "asyncio":
    asyncio.run(asynchronous())
else:
    blocking()
print("done")
