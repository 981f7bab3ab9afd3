"""The inventory, through the real nvidia-ml-py and a real shared library."""

import subprocess
import sys

import pytest

from distml.hardware.devices import DeviceClass, device_classes, list_devices
from tests.hardware.standin import DRIVER, StandIn, a100, build, h100, rtx_3090

NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, FUNCTION_NOT_FOUND, LOST, MISMATCH = 3, 4, 9, 13, 15, 18


def test_whole_cards_are_told_as_nvml_tells_them(machine):
    machine.holds(rtx_3090("GPU-a"), a100("GPU-b"))
    workstation, server = machine.run(list_devices).devices
    assert (workstation.index, workstation.uuid, workstation.name) == (0, "GPU-a", "NVIDIA GeForce RTX 3090")
    assert (workstation.memory_mib, workstation.multiprocessors, workstation.capability) == (24576, 82, "8.6")
    assert (workstation.driver, workstation.profile, workstation.parent) == (DRIVER, None, None)
    assert (workstation.mig_mode, workstation.missing) == (None, {"mig_mode": "not supported by this device"})
    assert (server.index, server.multiprocessors, server.mig_mode, server.missing) == (1, 108, "disabled", {})


def test_slices_are_devices_with_a_parent_and_their_numbers_have_gaps(machine):
    machine.holds(rtx_3090(), a100("GPU-b", {0: "3g.20gb", 2: "2g.10gb", 5: "1g.5gb"}))
    inventory = machine.run(list_devices)
    card = inventory.cards[1]
    slices = inventory.slices(card)
    assert [(one.index, one.profile, one.memory_mib, one.multiprocessors) for one in slices] == [
        (0, "3g.20gb", 19968, 42),
        (2, "2g.10gb", 9984, 28),
        (5, "1g.5gb", 4864, 14),
    ]
    assert {one.parent for one in slices} == {"GPU-b"}
    assert [one.uuid for one in slices] == ["MIG-b-0", "MIG-b-2", "MIG-b-5"]
    assert (card.mig_mode, card.usable, slices[0].usable) == ("enabled", False, True)
    assert inventory.card_of(slices[1]) == card


def test_a_mig_mode_that_waits_for_a_reset_is_told_as_such(machine):
    machine.holds(a100("GPU-a", None, "mig 0 1"), a100("GPU-b", {0: "7g.40gb"}, "mig 1 0"))
    inventory = machine.run(list_devices)
    assert [card.mig_mode for card in inventory.cards] == ["to be enabled", "to be disabled"]
    assert [card.usable for card in inventory.cards] == [True, False]


def test_a_slice_whose_name_tells_no_profile_gets_it_from_its_attributes(machine):
    card = a100("GPU-a", {0: "2g.10gb"})
    machine.holds(card)
    text = machine.file.read_text().replace(" MIG 2g.10gb", "")
    machine.file.write_text(text)
    assert machine.run(list_devices).devices[1].profile == "2g.10gb"
    machine.file.write_text(text.replace("slices 2 2", "slices 2 1"))
    assert machine.run(list_devices).devices[1].profile == "1c.2g.10gb"


def test_what_nvml_refuses_is_none_with_the_reason(machine):
    machine.holds(
        rtx_3090(
            "GPU-a",
            f"error nvmlDeviceGetMemoryInfo {NOT_SUPPORTED}",
            f"error nvmlDeviceGetNumGpuCores {FUNCTION_NOT_FOUND}",
            f"error nvmlDeviceGetMigMode {NO_PERMISSION}",
        )
    )
    (device,) = machine.run(list_devices).devices
    assert (device.memory_mib, device.multiprocessors, device.mig_mode) == (None, None, None)
    assert device.missing == {
        "memory_mib": "not supported by this device",
        "multiprocessors": "the driver is too old for it",
        "mig_mode": "no permission",
    }


def test_a_card_that_fell_off_the_bus_takes_no_other_with_it(machine):
    machine.holds(rtx_3090("GPU-a"), rtx_3090("GPU-b", f"error * {LOST}"), rtx_3090("GPU-c"))
    inventory = machine.run(list_devices)
    assert [device.uuid for device in inventory.devices] == ["GPU-a", "GPU-c"]
    assert inventory.faults == ("gpu1: the GPU fell off the bus",)
    assert inventory.reason is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (DRIVER_NOT_LOADED, "NVML does not start: the NVIDIA driver is not loaded"),
        (MISMATCH, "NVML does not start: driver and library differ in version: was the driver updated?"),
    ],
)
def test_an_nvml_that_does_not_start_is_a_fault_in_one_line(machine, code, said):
    machine.holds(rtx_3090(), lines=[f"error nvmlInitWithFlags {code}"])
    inventory = machine.run(list_devices)
    assert (inventory.devices, inventory.reason, inventory.faults) == ((), said, (said,))


def test_a_driver_that_goes_while_it_is_asked_is_a_fault(machine):
    machine.holds(rtx_3090(), lines=[f"error nvmlDeviceGetName {MISMATCH}"])
    inventory = machine.run(list_devices)
    assert inventory.devices == ()
    assert inventory.reason.startswith("NVML fails: driver and library differ")


def test_a_driver_without_cards_is_a_cpu_node(machine):
    inventory = machine.run(list_devices)
    assert (inventory.reason, inventory.faults) == ("NVML finds no GPU: a CPU node", ())


def test_without_the_library_it_is_a_cpu_node(tmp_path):
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"")  # hides one that this machine may have
    code = "from distml.hardware.devices import list_devices; print(list_devices())"
    command = [sys.executable, "-c", code]
    there = {"LD_LIBRARY_PATH": str(tmp_path)}
    said = subprocess.run(command, env=there, capture_output=True, text=True, timeout=60).stdout
    assert said.strip() == "Inventory(devices=(), reason='no NVML: a CPU node', faults=())"


def test_an_old_driver_lacks_functions_and_still_lists_its_cards(tmp_path):
    old = StandIn(build(tmp_path / "old", old=True), tmp_path / "machine.txt")
    try:
        old.holds(rtx_3090(), a100("GPU-b", {3: "1g.5gb"}))
        assert [device.uuid for device in old.run(list_devices).devices] == ["GPU-3090", "GPU-b", "MIG-b-3"]
    finally:
        old.close()


def test_devices_alike_are_a_class_named_for_ray(machine):
    machine.holds(
        rtx_3090("GPU-a"),
        a100("GPU-b", {0: "3g.20gb", 1: "1g.5gb", 2: "1g.5gb"}),
        rtx_3090("GPU-c"),
    )
    assert device_classes(machine.run(list_devices)) == (
        DeviceClass("rtx-3090", ("GPU-a", "GPU-c"), 24576, 82),
        DeviceClass("3g.20gb", ("MIG-b-0",), 19968, 42),
        DeviceClass("1g.5gb", ("MIG-b-1", "MIG-b-2"), 4864, 14),
    )


def test_a_class_offers_the_memory_that_programs_can_have(machine, tmp_path):
    machine.holds(rtx_3090("GPU-a", "memory 24576 320"))
    inventory = machine.run(list_devices)
    assert (inventory.devices[0].memory_mib, inventory.devices[0].reserved_mib) == (24576, 320)
    assert device_classes(inventory)[0].memory_mib == 24256


def test_compute_slices_of_one_gpu_slice_share_its_memory(machine):
    card = a100("GPU-a", {0: "3g.20gb", 1: "3g.20gb"})
    for number, piece in enumerate(card.slices):
        piece.profile, piece.sms, piece.lines = "1c.3g.20gb", 14, [f"instance 1 {number}"]
    machine.holds(card)
    assert device_classes(machine.run(list_devices)) == (
        DeviceClass("1c.3g.20gb", ("MIG-a-0", "MIG-a-1"), 19968 // 2, 14),
    )


def test_a_profile_that_two_cards_share_is_two_classes(machine):
    sliced = a100("GPU-b", {0: "1g.5gb"})
    sliced.slices[0].profile = "1g.10gb"
    machine.holds(sliced, h100("GPU-h", ["0:0", "0:0"]))
    classes = device_classes(machine.run(list_devices))
    assert [(one.name, len(one.uuids)) for one in classes] == [
        ("1g.10gb-a100-sxm4-40gb", 1),
        ("1g.10gb-h100-80gb-hbm3", 2),
    ]


def test_a_card_in_mig_mode_without_slices_is_in_no_class(machine):
    machine.holds(a100("GPU-a", {}))
    inventory = machine.run(list_devices)
    assert (len(inventory.devices), device_classes(inventory)) == (1, ())


def test_importing_the_inventory_does_not_import_pynvml():
    code = "import sys, distml.hardware.devices; print('pynvml' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout
    assert said.strip() == "False"
