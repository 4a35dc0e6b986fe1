//! Which writer the guest's network is of.

use super::plan::Interface;
use super::writer::{Claim, Failed, Guest, Writer};
use super::writers;

/// The writers, in the order in which they are asked: programs that rule others come first.
const WRITERS: [&dyn Writer; 7] = [
    &writers::netplan::Netplan,
    &writers::network_manager::NetworkManager,
    &writers::networkd::Networkd,
    &writers::ifupdown::Ifupdown,
    &writers::ifcfg::Ifcfg,
    &writers::suse::Suse,
    &writers::gentoo::Gentoo,
];

/// The first writer in whose way one of the interfaces is configured; if there is none, the first
/// one whose tools are there. A tool that does not answer in time is an error: the guest's network
/// may be of its kind.
pub(super) fn choose(
    guest: &Guest<'_>,
    interfaces: &[Interface],
) -> Result<Option<&'static dyn Writer>, Failed> {
    let mut possible = None;
    for writer in WRITERS {
        match writer.claim(guest, interfaces)? {
            Claim::Yes => return Ok(Some(writer)),
            Claim::Possible => possible = possible.or(Some(writer)),
            Claim::No => {}
        }
    }
    Ok(possible)
}

/// The writer of this name.
pub(super) fn named(name: &str) -> Option<&'static dyn Writer> {
    WRITERS.into_iter().find(|writer| writer.name() == name)
}
