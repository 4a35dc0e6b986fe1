//! Commands that xm had and that nothing carries out today. Each says why, and what to do instead.

use crate::cli::command::Command;
use crate::cli::option::{ANY, OptionSpec, flag, option};
use crate::failure::Failure;
use crate::output::print_line;

const NO_TMEM: &str = "Today's Xen has no transcendent memory";
const NO_NETWORK2: &str = "No released Xen had version 2 network devices: use xm network-attach, \
    network-detach and network-list";
const NO_SWAP: &str = "xend does not page the memory of domains: use xm mem-set";
const NO_XEN_API: &str = "Networks are objects of the Xen-API alone: use one of its clients";
const NO_PASSWORDS: &str = "The password of a display is changed in the domain's configuration \
    (vncpasswd), and counts from the next start";

const ANYTHING: &[OptionSpec] = &[
    flag('l', "long", "Without effect today"),
    flag('a', "all", "Without effect today"),
    option('u', "uuid", "UUID", "Without effect today"),
    option('A', "auth", "FLAG", "Without effect today"),
];

pub(super) static COMMANDS: [Command; 17] = [
    tmem("tmem-list", "[-l|--long] [<Domain>|-a|--all]", "List pools of transcendent memory."),
    tmem("tmem-thaw", "[<Domain>|-a|--all]", "Let pools of transcendent memory change."),
    tmem("tmem-freeze", "[<Domain>|-a|--all]", "Let pools of transcendent memory not change."),
    tmem("tmem-destroy", "[<Domain>|-a|--all]", "Delete pools of transcendent memory."),
    tmem("tmem-flush", "[<Domain>|-a|--all]", "Empty pools of transcendent memory.").unlisted(),
    tmem(
        "tmem-set",
        "[<Domain>|-a|--all] [weight=<weight>] [cap=<cap>] [compress=<compress>]",
        "Change pools of transcendent memory.",
    ),
    Command::new(
        "tmem-freeable",
        "",
        "Print how much transcendent memory is free.",
        (0, 0),
        |_, _| print_line("0"),
    )
    .unlisted(),
    tmem(
        "tmem-shared-auth",
        "[<Domain>|-a|--all] [--uuid=<uuid>] [--auth=<0|1>]",
        "Allow pools of transcendent memory to be shared.",
    ),
    network2(
        "network2-attach",
        "<Domain> [key=value ...]",
        "Give a domain a network device of version 2.",
    ),
    network2(
        "network2-detach",
        "<Domain> <DevId>",
        "Take a network device of version 2 from a domain.",
    ),
    network2("network2-list", "<Domain>", "List the network devices of version 2 of a domain."),
    Command::new(
        "mem-swap-target",
        "<Domain> <Mem>",
        "Let a domain's memory be paged.",
        (0, ANY),
        |_, _| Err(Failure::not_offered(NO_SWAP)),
    )
    .unlisted(),
    Command::new(
        "change-vnc-passwd",
        "<Domain>",
        "Change the password of a display.",
        (1, 1),
        |context, words| {
            context.gateway.domain(words.argument(0))?;
            Err(Failure::not_offered(NO_PASSWORDS))
        },
    ),
    xen_api("network-new", "<name>", "Create a network."),
    xen_api("network-del", "<name>", "Delete a network."),
    xen_api("network-show", "[<name>]", "Show networks."),
    Command::new(
        "sched-bvt",
        "<Parameters>",
        "Set shares in Xen 3.0's first scheduler.",
        (0, ANY),
        |_, _| {
            Err(Failure::not_offered(
                "Xen has had no BVT scheduler since 3.1: use xm sched-credit or sched-credit2",
            ))
        },
    )
    .unlisted(),
];

const fn tmem(name: &'static str, arguments: &'static str, about: &'static str) -> Command {
    Command::new(name, arguments, about, (0, ANY), |_, _| Err(Failure::not_offered(NO_TMEM)))
        .with(ANYTHING)
}

const fn network2(name: &'static str, arguments: &'static str, about: &'static str) -> Command {
    Command::new(name, arguments, about, (0, ANY), |_, _| Err(Failure::not_offered(NO_NETWORK2)))
        .with(ANYTHING)
}

const fn xen_api(name: &'static str, arguments: &'static str, about: &'static str) -> Command {
    Command::new(name, arguments, about, (0, ANY), |_, _| Err(Failure::not_offered(NO_XEN_API)))
        .unlisted()
}
