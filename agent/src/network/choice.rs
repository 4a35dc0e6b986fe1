//! Which writer the guest's network is of.

use super::plan::Interface;
use super::writer::{Claim, Guest, Writer};
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
/// one whose tools are there.
pub(super) fn choose(guest: &Guest<'_>, interfaces: &[Interface]) -> Option<&'static dyn Writer> {
    let mut possible = None;
    for writer in WRITERS {
        match writer.claim(guest, interfaces) {
            Claim::Yes => return Some(writer),
            Claim::Possible => possible = possible.or(Some(writer)),
            Claim::No => {}
        }
    }
    possible
}
