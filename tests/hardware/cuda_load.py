"""A known load on the first GPU, through CUDA's driver library alone: a block of memory, written again and again.

python cuda_load.py MIB SECONDS prints 'ready' once the memory is taken, and then keeps the card busy.
"""

import ctypes
import sys
import time

MULTIPROCESSORS = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT


def checked(code: int) -> None:
    if code:
        sys.exit(f"CUDA error {code}")


def multiprocessors() -> int:
    """Those of the first device, as CUDA counts them."""
    cuda = ctypes.CDLL("libcuda.so.1")
    count = ctypes.c_int()
    checked(cuda.cuInit(0))
    checked(cuda.cuDeviceGetAttribute(ctypes.byref(count), MULTIPROCESSORS, 0))
    return count.value


def load(mib: int, seconds: float) -> None:
    cuda = ctypes.CDLL("libcuda.so.1")
    context, block, size = ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_size_t(mib << 20)
    checked(cuda.cuInit(0))
    checked(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
    checked(cuda.cuCtxSetCurrent(context))
    checked(cuda.cuMemAlloc_v2(ctypes.byref(block), size))
    print("ready", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for byte in range(32):
            checked(cuda.cuMemsetD8_v2(block, ctypes.c_ubyte(byte), size))
        checked(cuda.cuCtxSynchronize())


if __name__ == "__main__":
    load(int(sys.argv[1]), float(sys.argv[2]))
