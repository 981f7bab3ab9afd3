"""A real headless Chromium, driven over its DevTools protocol; nothing is downloaded for it."""

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

_LIMIT = 240  # seconds; without a GPU and on a busy machine a page of charts takes a while


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser that is gone afterwards; skips where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install --no-install-recommends chromium")
    with tempfile.TemporaryDirectory(prefix="distml-chromium-", ignore_cleanup_errors=True) as profile:
        command = [
            program, "--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--enable-unsafe-swiftshader",
            "--use-angle=swiftshader", "about:blank",
        ]  # fmt: skip
        log = Path(profile) / "chromium.log"
        with log.open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            yield Browser(_port(Path(profile) / "DevToolsActivePort", process, log))
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(file: Path, process: "subprocess.Popen[bytes]", log: Path) -> int:
    latest = time.monotonic() + 30
    while time.monotonic() < latest and process.poll() is None:
        if file.is_file() and "\n" in (said := file.read_text()):
            return int(said.splitlines()[0])
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start: {log.read_text(errors='replace')[-2000:]}")


class Browser:
    """One loop for the whole test; pages are opened one after another."""

    def __init__(self, port: int) -> None:
        self._port = port

    def look(self, path: Path, script: Any, **how: Any) -> Any:
        """Open a file in a new page and run `await script(page)`; returns what that returns."""

        async def looked() -> Any:
            async with aiohttp.ClientSession() as session:
                address = f"http://127.0.0.1:{self._port}/json/new"
                async with session.put(address) as answer:
                    target = await answer.json()
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    reader = asyncio.create_task(page.read())
                    try:
                        await page.open(path, **how)
                        return await script(page)
                    finally:
                        await page.send("Page.close")
                        reader.cancel()

        return asyncio.run(asyncio.wait_for(looked(), timeout=_LIMIT))


class Page:
    """A page, with what it asked the network for and what it said on the console."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse") -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []  # exceptions, errors and warnings
        self.requests: list[str] = []
        self.load_seconds = 0.0

    async def open(
        self,
        path: Path,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        mobile: bool = False,
        before: str = "",
    ) -> Self:
        """Load a file and wait for its load event. before: a script that runs before the page's own."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        await self.size(width, height, mobile)
        await self.dark(dark)
        if before:
            await self.send("Page.addScriptToEvaluateOnNewDocument", source=before)
        began = time.monotonic()
        await self.send("Page.navigate", url=path.as_uri())
        await asyncio.wait_for(self._loaded.wait(), _LIMIT)
        self.load_seconds = time.monotonic() - began
        return self

    async def size(self, width: int, height: int, mobile: bool = False) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        await self.send("Emulation.setTouchEmulationEnabled", enabled=mobile)

    async def dark(self, dark: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise."""
        found = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def draw_all(self) -> dict[str, str]:
        """Scroll through the page until every chart that is shown is drawn; chart -> its state."""
        states = f"Object.fromEntries([...{_SHOWN}].map(plot => [plot.id, plot.dataset.state ?? 'waiting']))"
        names = await self.ask(f"[...{_SHOWN}].map(plot => plot.id)")
        for name in names:
            await self.ask(
                f"document.getElementById('{name}').scrollIntoView({{block: 'center', behavior: 'instant'}})"
            )
            for _ in range(200):
                if await self.ask(f"document.getElementById('{name}').dataset.state") in ("drawn", "failed"):
                    break
                await asyncio.sleep(0.05)
        return dict(await self.ask(states))

    async def key(self, name: str) -> None:
        code = {"Tab": 9, "ArrowRight": 39, "ArrowDown": 40, "ArrowLeft": 37, "Enter": 13, "Space": 32}[name]
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)

    async def picture(self, path: Path, whole: bool = True) -> None:
        """A screenshot of the whole page, or of what is in view."""
        extra: dict[str, Any] = {}
        if whole:
            size = (await self.send("Page.getLayoutMetrics"))["cssContentSize"]
            extra = {"captureBeyondViewport": True, "clip": {**size, "x": 0, "y": 0, "scale": 1}}
        found = await self.send("Page.captureScreenshot", format="png", **extra)
        path.write_bytes(base64.b64decode(found["data"]))

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        return await asyncio.wait_for(answer, _LIMIT)

    async def read(self) -> None:
        """Take in what the browser says, until cancelled."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if "error" in said:
                    answer.set_exception(AssertionError(said["error"]["message"]))
                else:
                    answer.set_result(said["result"])
                continue
            params = said.get("params", {})
            match said["method"]:
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(params["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                    self.complaints.append(str([one.get("value", one.get("description")) for one in params["args"]]))
                case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                    self.complaints.append(str(params["entry"]["text"]))
                case "Network.requestWillBeSent":
                    self.requests.append(params["request"]["url"])


_SHOWN = "document.querySelectorAll('figure:not([hidden]) .plot')"
