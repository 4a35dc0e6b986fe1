"""Drives what OpenStack's driver asks agents in guests: python openstack.py PATH-OF-XEND

nova/virt/xenapi/agent.py and os_xenapi/client/{XenAPI,host_agent,host_xenstore}.py are as PyPI has
them. The few functions that they use of the rest of OpenStack are stubs here.
"""

import base64
import importlib.metadata
import importlib.util
import json
import pickle
import subprocess
import sys
import threading
import types
import uuid
import xmlrpc.client

from session import Connection, run

ERRORS = []
FAULTS = []


def module(name, **members):
    """Puts a module of these members in the place of one of OpenStack's."""
    made = types.ModuleType(name)
    made.__path__ = []
    made.__dict__.update(members)
    sys.modules[name] = made
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, made)
    return made


class Log:
    """A logger of OpenStack, of which the errors count."""

    def debug(self, *message, **more):
        pass

    info = warning = debug

    def error(self, message, *args, **more):
        ERRORS.append(message)


class NovaException(Exception):
    def __init__(self, method):
        super().__init__(f"{type(self).__name__}: {method}")


class AgentError(NovaException):
    pass


class AgentTimeout(AgentError):
    pass


class AgentNotImplemented(AgentError):
    pass


class Version:
    """The place of distutils' class, which newer Pythons lack."""

    def __init__(self, text):
        self.numbers = [int(number) for number in text.split(".")]

    def __gt__(self, other):
        return self.numbers > other.numbers


def execute(*command, process_input, check_exit_code):
    done = subprocess.run(command, input=process_input, capture_output=True, check=check_exit_code)
    return done.stdout.decode(), done.stderr.decode()


class Xenserver:
    """The driver's configuration."""

    agent_timeout = 30
    agent_version_timeout = 300
    agent_resetnetwork_timeout = 60


def encoded(text):
    return base64.b64encode(text.encode())


def installed(name):
    """A module of an installed package, from its file: its package's own code is not run."""
    [file] = [
        file for package in ("nova", "os-xenapi") for file in importlib.metadata.files(package)
        if str(file) == name.replace(".", "/") + ".py"
    ]
    spec = importlib.util.spec_from_file_location(name, file.locate())
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    parent, _, own = name.rpartition(".")
    setattr(sys.modules[parent], own, made)
    return made


def openstack():
    """OpenStack's modules for agents and for XenStore."""
    module("distutils")
    module("distutils.version", LooseVersion=Version)
    module("oslo_concurrency")
    module("oslo_concurrency.processutils", execute=execute, ProcessExecutionError=subprocess.CalledProcessError)
    module("oslo_log")
    module("oslo_log.log", getLogger=lambda name: Log())
    module("oslo_serialization")
    module("oslo_serialization.base64", encode_as_bytes=encoded, encode_as_text=lambda text: encoded(text).decode())
    module("oslo_serialization.jsonutils", loads=json.loads)
    module("oslo_utils")
    module("oslo_utils.encodeutils", safe_encode=str.encode)
    module("oslo_utils.strutils", bool_from_string=lambda text, strict: text == "True")
    module("oslo_utils.uuidutils", generate_uuid=lambda: str(uuid.uuid4()))
    module("nova")
    module("nova.utils", SM_IMAGE_PROP_PREFIX="image_", instance_sys_meta=lambda instance: {})
    module("nova.i18n", _=str)
    module("nova.conf", CONF=types.SimpleNamespace(xenserver=Xenserver))
    module("nova.context", get_admin_context=lambda: None)
    module("nova.crypto", ssh_encrypt_text=lambda key, text: "")
    module("nova.exception", AgentError=AgentError, AgentTimeout=AgentTimeout, AgentNotImplemented=AgentNotImplemented)
    build = types.SimpleNamespace(hypervisor="xen", os="linux", architecture="x86-64", version="9.0", url="http://192.0.2.1/agent.tar", md5hash="0")
    module("nova.objects", Agent=types.SimpleNamespace(get_by_triple=lambda *triple: build))
    module("nova.api")
    module("nova.api.metadata")
    module("nova.api.metadata.password", convert_password=lambda context, text: {})
    module("nova.compute")
    module("nova.compute.utils", add_instance_fault_from_exc=lambda context, instance, error, exc_info: FAULTS.append(type(error)))
    module("nova.virt")
    module("nova.virt.xenapi")
    module("os_xenapi")
    module("os_xenapi.client")
    client = [installed(f"os_xenapi.client.{name}") for name in ("XenAPI", "host_agent", "host_xenstore")]
    return installed("nova.virt.xenapi.agent"), client[0], client[2]


class Transport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, host):
        return Connection(self.path)


class Session:
    """The driver's session, as far as agents and XenStore go."""

    def __init__(self, sdk, path):
        session = sdk.Session("http://localhost", transport=Transport(path))
        session.login_with_password("root", "", "2.1", "os-xenapi")
        self.api = session.xenapi
        self.host = self.api.session.get_this_host(session.handle)
        self.VM = self.api.VM

    def call_plugin(self, plugin, function, args):
        args["host_uuid"] = self.host
        return self.api.host.call_plugin(self.host, plugin, function, args)


def play(daemon):
    nova, sdk, xenstore = openstack()
    session = Session(sdk, daemon.folder / "api")
    names = ["web", "agentold", "agentabsent", "agentbroken", "agentslow"]
    for name in names:
        daemon.http("/xend/domain", op="new", config=f"(vm (name {name}) (memory 64) (image (linux (kernel /k))) (device (vif (mac 00:16:3e:11:22:33))))")
        session.VM.start(session.VM.get_by_name_label(name)[0], False)

    for plugin, version in [("nova_plugin_version", "1.8"), ("dom0_plugin_version.py", "2.1")]:
        pickled = session.call_plugin(plugin, "get_version", {"params": pickle.dumps({}, 0).decode()})
        assert pickle.loads(pickled.encode()) == version, pickled

    def agent_of(name):
        instance = {"uuid": name, "os_type": "linux", "architecture": "x86-64", "key_data": "ssh-dss AAAA"}
        FAULTS.clear()
        return nova.XenAPIBasedAgent(session, None, instance, session.VM.get_by_name_label(name)[0])

    # A guest is set up.
    web = agent_of("web")
    assert web.get_version() == "1.0.0"
    assert web.inject_ssh_key() == ""
    web.inject_files([("/etc/motd", "Welcome, \u00e4\n"), ("/etc/empty", "")])
    web.set_admin_password("Secret1")
    domid = session.VM.get_domid(web.vm_ref)
    network = {"label": "public", "mac": "00:16:3e:11:22:33", "ips": [{"ip": "203.0.113.10", "netmask": "255.255.255.0", "enabled": "1"}]}
    path = "vm-data/networking/00163E112233"
    session.VM.remove_from_xenstore_data(web.vm_ref, path)
    session.VM.add_to_xenstore_data(web.vm_ref, path, json.dumps(network))
    xenstore.write_record(session, domid, path, json.dumps(network))
    assert json.loads(xenstore.read_record(session, domid, path)) == network
    assert web.resetnetwork() == ""
    assert not FAULTS and not ERRORS, (FAULTS, ERRORS)
    # Our agents are not updated so, which the driver takes lightly.
    web.update_if_needed("1.0.0")
    assert FAULTS == [AgentError], FAULTS
    assert json.loads(xenstore.read_record(session, domid, "nosuch")) == "None"
    assert json.loads(xenstore.delete_record(session, domid, path)) == ""

    # The guest is reset while it is asked. The driver notices, and asks again.
    slow = agent_of("agentslow")
    before = session.VM.get_domid(slow.vm_ref)
    reset = threading.Timer(1, Session(sdk, daemon.folder / "api").VM.hard_reboot, [slow.vm_ref])
    reset.start()
    assert slow.get_version() == "1.0.0"
    reset.join()
    assert session.VM.get_domid(slow.vm_ref) != before
    assert not FAULTS, FAULTS

    # An agent of the first generation.
    old = agent_of("agentold")
    assert old.get_version() == "1.39.1"
    old.set_admin_password("Secret1")
    assert not FAULTS, FAULTS
    old.inject_file("/etc/motd", "Welcome")
    assert FAULTS == [AgentNotImplemented], FAULTS

    # No agent at all: the driver goes on after a time.
    Xenserver.agent_timeout, Xenserver.agent_version_timeout = 1, 2
    absent = agent_of("agentabsent")
    assert absent.get_version() is None
    absent.set_admin_password("Secret1")
    assert FAULTS == [AgentTimeout, AgentTimeout], FAULTS

    # What is no response ends in the error of the driver itself.
    try:
        agent_of("agentbroken").get_version()
    except TypeError:
        pass
    else:
        raise AssertionError("TypeError was expected")
    assert "Secret1" not in (daemon.folder / "log").read_text()


if __name__ == "__main__":
    run(play, "OpenStack's code for agents in guests: all as it should be")
