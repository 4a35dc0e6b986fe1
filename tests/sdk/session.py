"""Drives the maintained Python client of the Xen-API: python session.py PATH-OF-XEND"""

import http.client
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import XenAPI


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Transport(XenAPI.UDSTransport):
    """The client's own, which knows the path of one daemon alone."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, host):
        return Connection(self.path)


class Daemon:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.start()

    def start(self):
        options = ["--http", "off", "--config", "/dev/null", "--state-dir", self.folder / "state"]
        options += ["--unix", self.folder / "http", "--xen-api", self.folder / "api"]
        log = open(self.folder / "log", "a")
        self.process = subprocess.Popen([self.program, *options], stdout=subprocess.PIPE, stderr=log, text=True)
        while "Listening" not in (line := self.process.stdout.readline()):
            assert line, "the daemon did not start"

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0

    def http(self, path, **form):
        connection = Connection(self.folder / "http")
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urllib.parse.urlencode(form), head)
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()

    def session(self):
        session = XenAPI.Session("http://localhost", transport=Transport(self.folder / "api"))
        session.xenapi.login_with_password("root", "", "1.0", "test")
        return session


def fails(code, call, *params):
    try:
        call(*params)
    except XenAPI.Failure as failure:
        assert failure.details[0] == code, failure.details
        return failure.details
    raise AssertionError(f"{code} was expected")


def ended(api, task):
    while (status := api.task.get_status(task)) == "pending":
        time.sleep(0.05)
    return status


def play(daemon):
    session = daemon.session()
    api = session.xenapi
    assert session.API_version == "1.0"
    host = api.session.get_this_host(session.handle)
    assert api.host.get_record(host)["API_version_major"] == "1"

    daemon.http("/xend/domain", op="new", config="(vm (name web) (memory 64) (vcpus 2) (image (linux (kernel /boot/vmlinuz))))")
    [vm] = api.VM.get_by_name_label("web")
    assert vm in api.VM.get_all() and api.VM.get_record(vm)["power_state"] == "Halted"

    task = api.Async.VM.start(vm, False)
    assert ended(api, task) == "success" and api.task.get_progress(task) == 1.0
    api.task.destroy(task)
    assert fails("VM_BAD_POWER_STATE", api.VM.start, vm, False) == ["VM_BAD_POWER_STATE", vm, "Halted", "Running"]
    metrics = api.VM.get_metrics(vm)
    assert set(api.VM_metrics.get_VCPUs_utilisation(metrics)) == {"0", "1"}
    assert set(api.VM_metrics.get_all_records()) == {record["metrics"] for record in api.VM.get_all_records().values()}
    api.VM.pause(vm)
    assert api.VM.get_power_state(vm) == "Paused"
    api.VM.unpause(vm)
    assert api.VM.get_power_state(vm) == "Running"

    # Events of changes by another client.
    watcher = daemon.session().xenapi
    watcher.event.register(["VM"])
    timer = threading.Timer(0.3, lambda: daemon.http("/xend/domain/web", op="pause"))
    timer.start()
    told = watcher.event.next()
    timer.join()
    assert [(event["class"], event["operation"], event["ref"]) for event in told] == [("VM", "mod", vm)], told

    # The client logs in again by itself after its session was ended.
    before = session.handle
    other = daemon.session()
    assert fails("HANDLE_INVALID", other.xenapi.session.get_this_user, before)
    other.session.logout(before)
    assert api.host.get_all() == [host]
    assert session.handle != before

    created(api)

    # After a restart of the daemon the client logs in again by itself.
    before = session.handle
    daemon.stop()
    daemon.start()
    assert api.host.get_all() == [host]
    assert session.handle != before

    fails("HANDLE_INVALID", api.VM.get_name_label, "nonsense")
    fails("MESSAGE_METHOD_UNKNOWN", api.VM.fly, vm)
    fails("MESSAGE_PARAMETER_COUNT_MISMATCH", api.VM.pause, vm, vm)
    api.VM.hard_shutdown(vm)
    api.VM.destroy(vm)
    session.xenapi.session.logout()


def created(api):
    """A VM with a disk, a drive, an interface and a screen, from nothing to its end."""
    [sr] = [one for one in api.SR.get_all() if api.SR.get_type(one) == "local"]
    vdi = api.VDI.create({
        "SR": sr, "name_label": "root", "name_description": "", "virtual_size": str(64 << 20), "type": "system",
        "sharable": False, "read_only": False, "other_config": {},
    })
    assert api.VDI.get_virtual_size(vdi) == str(64 << 20)
    assert int(api.VDI.get_physical_utilisation(vdi)) < 1 << 20, "it is sparse"
    network = api.network.create({"name_label": "br7", "name_description": "", "other_config": {}})
    vm = api.VM.create({
        "name_label": "shop", "name_description": "by the SDK", "user_version": "1", "is_a_template": False,
        "memory_static_max": str(128 << 20), "memory_dynamic_max": str(64 << 20), "memory_dynamic_min": str(64 << 20),
        "memory_static_min": "0", "VCPUs_max": "2", "VCPUs_at_startup": "2", "VCPUs_params": {},
        "actions_after_shutdown": "destroy", "actions_after_reboot": "restart", "actions_after_crash": "restart",
        "PV_kernel": "/boot/vmlinuz", "PV_args": "ro", "platform": {}, "other_config": {"by": "sdk"}, "HVM_boot_policy": "",
    })
    vbd = api.VBD.create({"VM": vm, "VDI": vdi, "device": "xvda", "bootable": True, "mode": "RW", "type": "Disk"})
    vif = api.VIF.create({"VM": vm, "network": network, "device": "eth0", "MAC": "", "MTU": "1500"})
    console = api.console.create({"VM": vm, "protocol": "rfb", "other_config": {"vncdisplay": "7"}})
    record = api.VM.get_record(vm)
    assert (record["VBDs"], record["VIFs"], record["consoles"]) == ([vbd], [vif], [console])
    assert api.VDI.get_VBDs(vdi) == [vbd] and api.network.get_VIFs(network) == [vif]

    task = api.Async.VM.start(vm, False)
    assert ended(api, task) == "success", api.task.get_error_info(task)
    assert api.VBD.get_currently_attached(vbd) and api.VBD.get_runtime_properties(vbd)["state"] == "4"
    metrics = api.VM.get_guest_metrics(vm)
    while not api.VM_guest_metrics.get_live(metrics):
        time.sleep(0.05)
    assert api.VM_guest_metrics.get_record(metrics)["os_version"]["distro"] == "debian"
    fails("VDI_ERROR", api.VDI.destroy, vdi)
    api.VM.hard_shutdown(vm)
    copy = api.VM.clone(vm, "shop2")
    assert api.VM.get_other_config(copy) == {"by": "sdk"}
    [image] = [api.VBD.get_VDI(one) for one in api.VM.get_VBDs(copy)]
    assert image != vdi
    for one, disk in ((vm, vdi), (copy, image)):
        api.VM.destroy(one)
        api.VDI.destroy(disk)
    api.network.destroy(network)


def run(play, success):
    """Plays against a daemon of its own, whose log is shown after a failure."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(sys.argv[1], folder)
        try:
            play(daemon)
        except BaseException:
            print((daemon.folder / "log").read_text(), file=sys.stderr)
            raise
        finally:
            daemon.process.terminate()
    print(success)


if __name__ == "__main__":
    run(play, "The Python client of the Xen-API: all as it should be")
