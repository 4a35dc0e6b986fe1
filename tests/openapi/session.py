"""Drives the client that was generated from the OpenAPI document: a domain is created, listed, sent
back as a configuration, followed as a task, and destroyed."""

import sys
import time

from xend_client import Client
from xend_client.api.default import (
    get_domain,
    get_domains,
    get_node,
    get_task,
    post_domain,
    post_domains,
)
from xend_client.models import (
    Devices,
    Disk,
    Domain,
    DomainConfig,
    DomainDestroyRequest,
    DomainMemTargetSetRequest,
    DomainPauseRequest,
    DomainRenameRequest,
    DomainUnpauseRequest,
    DomainsCreateRequest,
    DomainsNewRequest,
    Image,
    NetworkInterface,
    Node,
    Problem,
    Task,
)

client = Client(base_url=sys.argv[1], headers={"Accept": "application/json"})

node = get_node.sync(client=client)
assert isinstance(node, Node), node
assert node.free_memory_mib > 0

config = DomainConfig(
    name="web1",
    memory_mib=64,
    vcpus=2,
    image=Image(type_="linux", kernel="/boot/vmlinuz"),
    devices=Devices(
        vbd=[Disk(dev="xvda", uname="phy:/dev/vg0/web1", mode="w")],
        vif=[NetworkInterface(bridge="xenbr0")],
    ),
)
created = post_domains.sync_detailed(client=client, body=DomainsCreateRequest(op="create", config=config))
assert created.status_code == 201, created
domain = created.parsed
assert isinstance(domain, Domain), domain
assert (domain.name, domain.state, domain.memory_mib, domain.vcpus) == ("web1", "paused", 64, 2)
assert domain.devices.vbd[0].dev == "xvda"

names = [summary.name for summary in get_domains.sync(client=client)]
assert names == ["Domain-0", "web1"], names
paused = get_domains.sync(client=client, state="paused", detail=True)
assert [summary.uuid for summary in paused] == [domain.uuid]
assert paused[0].additional_properties["devices"]["vif"][0]["bridge"] == "xenbr0"


def perform(body, status):
    """Performs an operation on the domain, and gives the parsed answer."""
    answer = post_domain.sync_detailed("web1", client=client, body=body)
    assert answer.status_code == status, answer
    return answer.parsed


perform(DomainUnpauseRequest(op="unpause"), 204)
assert get_domain.sync("web1", client=client).state == "running"
# The answer is a configuration.
raw = client.get_httpx_client().get("/xend/domain/web1").json()
defined = post_domains.sync_detailed(
    client=client, body=DomainsNewRequest(op="new", config=DomainConfig.from_dict(
        {key: value for key, value in raw.items() if key in DomainConfig.__annotations__ or key == "image"}
    ))
)
assert defined.status_code == 204, defined
assert get_domain.sync("web1", client=client).managed

perform(DomainPauseRequest(op="pause"), 204)
perform(DomainMemTargetSetRequest(op="mem_target_set", target_mib=48), 204)
assert get_domain.sync("web1", client=client).memory_mib == 48
problem = perform(DomainRenameRequest(op="rename", name="a b"), 422)
assert isinstance(problem, Problem), problem
assert (problem.code, problem.parameter) == ("invalid_value", "name"), problem
perform(DomainUnpauseRequest(op="unpause"), 204)

# A long operation is followed as a task.
begun = post_domain.sync_detailed(
    "web1", client=client, body=DomainDestroyRequest(op="destroy"), prefer="respond-async"
)
assert begun.status_code == 202, begun
task = begun.parsed
assert isinstance(task, Task) and task.op == "destroy", task
assert begun.headers["location"].endswith(f"/xend/task/{task.id}")
while task.state == "running":
    time.sleep(0.05)
    task = get_task.sync(task.id, client=client)
assert task.state == "succeeded", task
assert get_domain.sync("web1", client=client).state == "halted"
missing = get_domain.sync_detailed("nosuch", client=client)
assert missing.status_code == 404 and missing.parsed.code == "no_such_domain", missing
print("The generated client works")
