"""A WebSocket server without us, on the same uvicorn: what the machine and the server take by themselves."""

from typing import Any

from tests.soak.calm import calm


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Echo text until the client goes away."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


calm()
