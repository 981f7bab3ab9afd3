"""The stand-in holds to NVML's protocols, for every binding that is used here: ours, Ray's own, torch's."""

import pytest

from tests.hardware.standin import a100, h100, rtx_3090


def mixed():
    cut = a100("GPU-b", {0: "3g.20gb", 4: "1g.5gb"})
    cut.slices[0].lines = ["used 0:7000", "process 77 6500"]
    return rtx_3090("GPU-a", "memory 24576 300", "used 0:900", "process 4242 800", "process 4243 -"), cut


def protocols():
    """Calls whose structures or sizes are easily got wrong."""
    import pynvml

    pynvml.nvmlInit()
    card = pynvml.nvmlDeviceGetHandleByUUID("GPU-a")
    plain, versioned = pynvml.nvmlDeviceGetMemoryInfo(card), pynvml.nvmlDeviceGetMemoryInfo(card, pynvml.nvmlMemory_v2)
    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(card)
    cut = pynvml.nvmlDeviceGetHandleByIndex(1)
    piece = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(cut, 4)
    said = {
        "memory": (plain.total, plain.used, versioned.total, versioned.used),
        "processes": [(one.pid, one.usedGpuMemory) for one in processes],
        "by slice": [(one.pid, one.gpuInstanceId) for one in pynvml.nvmlDeviceGetComputeRunningProcesses(cut)],
        "rates": [(one.pid, one.smUtil) for one in pynvml.nvmlDeviceGetProcessesUtilizationInfo(card, 0)],
        "bus": pynvml.nvmlDeviceGetPciInfo(cut).busId,
        "temperature": pynvml.nvmlDeviceGetTemperatureV(cut, pynvml.NVML_TEMPERATURE_GPU),
        "limit": pynvml.nvmlDeviceGetPowerManagementLimit(card),
        "is a slice": [pynvml.nvmlDeviceIsMigDeviceHandle(one).value for one in (card, piece)],
        "parent": pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(piece)),
        "attributes": pynvml.nvmlDeviceGetAttributes(piece).memorySizeMB,
        "empty": refused(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, cut, 1),
        "no slices": refused(pynvml.nvmlDeviceGetMigMode, card),
        "utilisation of a slice": refused(pynvml.nvmlDeviceGetUtilizationRates, piece),
        "energy of a slice": refused(pynvml.nvmlDeviceGetTotalEnergyConsumption, piece),
    }
    pynvml.nvmlShutdown()
    return {**said, "closed": refused(pynvml.nvmlDeviceGetCount)}


def refused(function, *arguments):
    import pynvml

    with pytest.raises(pynvml.NVMLError) as error:
        function(*arguments)
    return type(error.value).__name__


def test_structures_sizes_and_refusals_are_nvmls(machine):
    machine.holds(*mixed())
    mib = 2**20
    assert machine.run(protocols) == {
        "memory": (24576 * mib, 1200 * mib, 24576 * mib, 900 * mib),
        "processes": [(4242, 800 * mib), (4243, None)],
        "by slice": [(77, 1)],
        "rates": [(4242, 0), (4243, 0)],
        "bus": "00000000:02:00.0",
        "temperature": 41,
        "limit": 350_000,
        "is a slice": [0, 1],
        "parent": "GPU-b",
        "attributes": 4864,
        "empty": "NVMLError_NotFound",
        "no slices": "NVMLError_NotSupported",
        "utilisation of a slice": "NVMLError_NotSupported",
        "energy of a slice": "NVMLError_NotSupported",
        "closed": "NVMLError_Uninitialized",
    }


def metrics_past_the_asked():
    """Whether anything but the metrics asked for is written."""
    import ctypes

    import pynvml

    pynvml.nvmlInit()
    card = pynvml.nvmlDeviceGetHandleByIndex(0)
    samples = [pynvml.nvmlGpmSampleAlloc() for _ in range(2)]
    request = pynvml.c_nvmlGpmMetricsGet_t()
    ctypes.memset(ctypes.byref(request.metrics), 0xAB, ctypes.sizeof(request.metrics))
    request.version, request.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, 2
    for number, metric in enumerate([pynvml.NVML_GPM_METRIC_SM_UTIL, pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL]):
        request.metrics[number].metricId = metric
    for sample, name in zip(samples, ("sample1", "sample2"), strict=True):
        pynvml.nvmlGpmMigSampleGet(card, 1, sample)
        setattr(request, name, sample)
    pynvml.nvmlGpmMetricsGet(request)
    untouched = bytes(request.metrics)[2 * ctypes.sizeof(pynvml.c_nvmlGpmMetric_t) :]
    pynvml.nvmlShutdown()
    return [request.metrics[number].nvmlReturn for number in range(2)], set(untouched) == {0xAB}


def test_gpm_writes_the_metrics_asked_for_and_no_more(machine):
    import time

    machine.holds(h100("GPU-h", ["0:50"]), lines=[f"epoch {time.time()}"])
    assert machine.run(metrics_past_the_asked) == ([0, 3], True)


def seen_by_ray():
    """What Ray's own detection and its dashboard's agent make of the machine."""
    from ray._private.accelerators import NvidiaGPUAcceleratorManager
    from ray.dashboard.modules.reporter.gpu_providers import NvidiaGpuProvider

    found = NvidiaGpuProvider().get_gpu_utilization()
    count = NvidiaGPUAcceleratorManager.get_current_node_num_accelerators()
    return count, [(one["uuid"], one["memory_used"]) for one in found]


def test_rays_own_binding_reads_it_too(machine):
    machine.holds(*mixed())
    count, devices = machine.run(seen_by_ray)
    assert count == 2
    assert devices == [("GPU-a", 1200), ("MIG-b-0", 7000), ("MIG-b-4", 0)]


def seen_by_torch():
    import torch

    return torch.cuda._raw_device_count_nvml(), torch.cuda._raw_device_uuid_nvml()


def test_torchs_own_calls_read_it_too(machine):
    machine.holds(rtx_3090("GPU-a"), rtx_3090("GPU-c"))
    assert machine.run(seen_by_torch) == (2, ["GPU-a", "GPU-c"])
