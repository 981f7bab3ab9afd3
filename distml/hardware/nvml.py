"""NVML, NVIDIA's library about its cards: the one module that imports pynvml. No CUDA context, no torch."""

from dataclasses import dataclass
from typing import Any

_MIB = 2**20


@dataclass(frozen=True)
class Memory:
    """A device's memory, MiB; a driver that does not tell what it keeps for itself counts that as used."""

    total: int
    reserved: int
    used: float


class NvmlUnavailableError(Exception):
    """NVML as a whole does not answer: there is none, or its driver is gone or was exchanged."""

    def __init__(self, reason: str, *, faulty: bool) -> None:
        """faulty: it is there and does not work, which somebody should mend."""
        super().__init__(reason)
        self.reason = reason
        self.faulty = faulty


class DeviceLostError(Exception):
    """One device does not answer any more; the others may."""


class SliceGoneError(DeviceLostError):
    """The card was cut anew: what is known of its slices has to be asked again."""


class Nvml:
    """NVML while it is open. Raises NvmlUnavailableError where it cannot be opened."""

    def __init__(self) -> None:
        import pynvml  # its names are many: importing it costs 20 ms, which only those pay who look at devices

        self.lib: Any = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError_LibraryNotFound:
            raise NvmlUnavailableError("no NVML: a CPU node", faulty=False) from None
        except pynvml.NVMLError as error:
            raise NvmlUnavailableError(f"NVML does not start: {self.reason(error)}", faulty=True) from None

    def close(self) -> None:
        """Let NVML go; a driver that is gone already is no matter."""
        try:
            self.lib.nvmlShutdown()
        except self.lib.NVMLError:
            return

    def call(self, function: str, *arguments: Any, older: str = "") -> Any:
        """What the function gives; raises pynvml.NVMLError for what it refuses.

        older: the function's former name, for a driver or a pynvml that does not know it yet.
        Raises NvmlUnavailableError where nothing can be asked any more, DeviceLostError where this device cannot.
        """
        lib = self.lib
        try:
            if not hasattr(lib, function):
                raise lib.NVMLError(lib.NVML_ERROR_FUNCTION_NOT_FOUND)
            return getattr(lib, function)(*arguments)
        except lib.NVMLError as error:
            if older and error.value == lib.NVML_ERROR_FUNCTION_NOT_FOUND:
                return self.call(older, *arguments)
            if error.value in (
                lib.NVML_ERROR_UNINITIALIZED,
                lib.NVML_ERROR_DRIVER_NOT_LOADED,
                lib.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
            ):
                raise NvmlUnavailableError(f"NVML fails: {self.reason(error)}", faulty=True) from None
            if error.value in (lib.NVML_ERROR_GPU_IS_LOST, lib.NVML_ERROR_RESET_REQUIRED):
                raise DeviceLostError(self.reason(error)) from None
            raise

    def ask(self, missing: dict[str, str], what: str, function: str, *arguments: Any, older: str = "") -> Any:
        """What the function gives, or None; then `missing[what]` is the reason."""
        try:
            return self.call(function, *arguments, older=older)
        except self.lib.NVMLError as error:
            missing[what] = self.reason(error)
            return None

    def memory(self, missing: dict[str, str], what: str, handle: Any) -> "Memory | None":
        """A device's memory, or None; then `missing[what]` is the reason."""
        function, newer = "nvmlDeviceGetMemoryInfo", getattr(self.lib, "nvmlMemory_v2", None)
        try:
            found = self.call(function, handle, newer)
            return Memory(found.total // _MIB, getattr(found, "reserved", 0) // _MIB, found.used / _MIB)
        except (self.lib.NVMLError_FunctionNotFound, self.lib.NVMLError_ArgumentVersionMismatch):
            older = self.ask(missing, what, function, handle)
            return None if older is None else Memory(older.total // _MIB, 0, older.used / _MIB)
        except self.lib.NVMLError as error:
            missing[what] = self.reason(error)
            if error.value == self.lib.NVML_ERROR_INVALID_ARGUMENT:
                raise SliceGoneError("the card was cut anew: this slice is gone") from None
            return None

    def reason(self, error: Any) -> str:
        """An NVML error in words for a user."""
        lib = self.lib
        words = {
            lib.NVML_ERROR_NOT_SUPPORTED: "not supported by this device",
            lib.NVML_ERROR_NO_PERMISSION: "no permission",
            lib.NVML_ERROR_FUNCTION_NOT_FOUND: "the driver is too old for it",
            lib.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
            lib.NVML_ERROR_GPU_IS_LOST: "the GPU fell off the bus",
            lib.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver and library differ in version: was the driver updated?",
        }
        return words.get(error.value) or str(error)
