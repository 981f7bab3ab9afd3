"""Utilisation of MIG slices by GPM, which cards from Hopper on have; NVML gives none for slices of older ones."""

from typing import Any

from distml.hardware.devices import Found
from distml.hardware.nvml import Nvml

_LEAST_SECONDS = 0.1  # two samples must lie so far apart (NVML reference, "GPM Functions")


class SliceUtilisation:
    """The utilisation of one slice between one reading and the next."""

    def __init__(self, nvml: Nvml, found: Found) -> None:
        """The first reading has nothing to look back on."""
        self._nvml = nvml
        self._found = found
        self._unsupported = self._ask_support()
        self._last: tuple[float, Any] | None = None

    def read(self, missing: dict[str, str], now: float) -> float | None:
        """0 to 1 since the last reading, or None; then `missing` has the reason. now: seconds."""
        if self._unsupported:
            missing["utilisation"] = self._unsupported
            return None
        if self._last is not None and now - self._last[0] < _LEAST_SECONDS:
            missing["utilisation"] = f"two samples lie less than {_LEAST_SECONDS} s apart"
            return None
        nvml, found = self._nvml, self._found
        sample = nvml.ask(missing, "utilisation", "nvmlGpmSampleAlloc")
        if sample is None:
            return None
        instance, got = found.device.gpu_instance, None
        try:
            got = nvml.ask(missing, "utilisation", "nvmlGpmMigSampleGet", found.card_handle, instance, sample)
        finally:  # a device that is lost is an exception
            if got is None:
                nvml.ask({}, "", "nvmlGpmSampleFree", sample)
        if got is None:
            return None
        before, self._last = self._last, (now, sample)
        if before is None:
            missing["utilisation"] = "the first sample: there is nothing to compare it with"
            return None
        try:
            return self._between(missing, before[1], sample)
        finally:
            nvml.call("nvmlGpmSampleFree", before[1])

    def close(self) -> None:
        """Give the last sample's memory back."""
        if self._last is not None:
            self._nvml.call("nvmlGpmSampleFree", self._last[1])
            self._last = None

    def _ask_support(self) -> str | None:
        """Why there is no GPM; None where there is."""
        missing: dict[str, str] = {}
        support = self._nvml.ask(missing, "gpm", "nvmlGpmQueryDeviceSupport", self._found.card_handle)
        if support is not None and support.isSupportedDevice and self._found.device.gpu_instance is not None:
            return None
        return "NVML gives none for slices of this card" + (f": {missing['gpm']}" if missing else "")

    def _between(self, missing: dict[str, str], before: Any, after: Any) -> float | None:
        lib = self._nvml.lib
        # The array in this structure is as long as the binding was told, the driver's may be longer or shorter; it
        # looks at the first `numMetrics` alone.
        request = lib.c_nvmlGpmMetricsGet_t()
        request.version = lib.NVML_GPM_METRICS_GET_VERSION
        request.numMetrics = 1
        request.sample1, request.sample2 = before, after
        request.metrics[0].metricId = lib.NVML_GPM_METRIC_GRAPHICS_UTIL
        if self._nvml.ask(missing, "utilisation", "nvmlGpmMetricsGet", request) is None:
            return None
        metric = request.metrics[0]
        if metric.nvmlReturn != lib.NVML_SUCCESS:
            missing["utilisation"] = self._nvml.reason(lib.NVMLError(metric.nvmlReturn))
            return None
        return float(metric.value) / 100
