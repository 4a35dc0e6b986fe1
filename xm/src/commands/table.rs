//! All commands, in the order of help.

use super::{
    block, console, create, credit, dump, host, identity, list, managed, memory, migrate, network,
    pci, pools, power, refused, save, scsi, security, sedf, shell, shutdown, signals, top, uptime,
    usb, vcpus, version, vnets, xendomains,
};
use crate::cli::command::{Action, Command, Group, Shown};
use crate::cli::option::{long_flag, long_option};

/// `help`, which is carried out where the table is known.
static HELP: [Command; 1] = [Command {
    name: "help",
    aliases: &[],
    arguments: "[--long] [<subcommand>]",
    about: "Show all commands, or how one is used.",
    options: &[
        long_flag("long", "Show all commands with their options"),
        long_flag("man", "Print the manual page"),
        long_option("completions", "SHELL", "Print completions for bash, fish or zsh")
            .of(&["bash", "fish", "zsh"]),
    ],
    count: (0, 1),
    has_files: false,
    shown: Shown::Common,
    action: Action::Help,
}];

/// The groups of commands.
pub(crate) static GROUPS: [Group; 8] = [
    Group {
        title: "Domains",
        commands: &[
            &HELP,
            &list::COMMANDS,
            &create::COMMANDS,
            &managed::COMMANDS,
            &power::COMMANDS,
            &shutdown::COMMANDS,
            &save::COMMANDS,
            &migrate::COMMANDS,
            &dump::COMMANDS,
            &identity::COMMANDS,
            &signals::COMMANDS,
            &uptime::COMMANDS,
            &console::COMMANDS,
        ],
    },
    Group { title: "CPUs and memory", commands: &[&vcpus::COMMANDS, &memory::COMMANDS] },
    Group {
        title: "Schedulers",
        commands: &[&credit::COMMANDS, &sedf::COMMANDS, &pools::COMMANDS],
    },
    Group {
        title: "Host",
        commands: &[
            &host::COMMANDS,
            &version::COMMANDS,
            &xendomains::COMMANDS,
            &top::COMMANDS,
            &shell::COMMANDS,
        ],
    },
    Group {
        title: "Devices",
        commands: &[
            &block::COMMANDS,
            &network::COMMANDS,
            &pci::COMMANDS,
            &scsi::COMMANDS,
            &usb::COMMANDS,
        ],
    },
    Group { title: "Virtual networks", commands: &[&vnets::COMMANDS] },
    Group { title: "Security labels", commands: &[&security::COMMANDS] },
    Group { title: "What today's Xen has not", commands: &[&refused::COMMANDS] },
];
