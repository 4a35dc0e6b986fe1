//! The messages of rtnetlink. See `linux/netlink.h`, `linux/rtnetlink.h`, `linux/if_addr.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A message from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// There is such an interface, or it has changed.
    Link(Link),
    /// The interface with this index is gone.
    LinkGone(u32),
    /// An interface has this address, or the address has changed.
    Address(Address),
    /// The address is gone.
    AddressGone(Address),
    /// The end of an answer. 0, or a negative errno if the answer is incomplete.
    Done(i32),
    /// The request failed with this negative errno; 0 acknowledges it.
    Error(i32),
    /// A message of another type.
    Other(u16),
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    /// The name, such as `eth0`. Bytes that are not UTF-8 are replaced.
    pub name: String,
    /// The MAC address of an Ethernet interface.
    pub mac: Option<[u8; 6]>,
    /// Whether it was switched on.
    pub is_up: bool,
    /// Whether it is the loopback interface.
    pub is_loopback: bool,
    /// The index of the bridge or bond that the interface belongs to.
    pub master: Option<u32>,
}

/// An address of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The index of the interface.
    pub index: u32,
    pub ip: IpAddr,
    /// The length of the network's prefix in bits.
    pub prefix: u8,
    /// Whether it is valid on the link alone.
    pub is_link_local: bool,
    /// Whether it may be used: its uniqueness on the link is not in doubt.
    pub is_usable: bool,
    /// Whether it is one of the addresses that the kernel makes up and changes for privacy.
    pub is_temporary: bool,
}

/// The bytes after this are no messages: a length exceeds them, or a message is shorter than its
/// type needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Malformed netlink message")]
pub struct Malformed;

/// A message with what its header says of the answer it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The number of the request that it answers; 0 for a change.
    pub sequence: u32,
    /// Whether something changed while the answer was made: ask again.
    pub is_interrupted: bool,
    pub message: Message,
}

/// Iterates over the messages of one datagram. Ends after the first malformed one.
#[derive(Debug, Clone)]
pub struct Messages<'a>(&'a [u8]);

/// The messages of one datagram.
pub fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages(datagram)
}

impl Iterator for Messages<'_> {
    type Item = Result<Received, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        next_of(&mut self.0, read_message)
    }
}

/// The next part of what is left. There is none after a malformed one.
fn next_of<'a, T>(
    rest: &mut &'a [u8],
    read: fn(&mut &'a [u8]) -> Result<T, Malformed>,
) -> Option<Result<T, Malformed>> {
    if rest.is_empty() {
        return None;
    }
    let next = read(rest);
    if next.is_err() {
        *rest = &[];
    }
    Some(next)
}

fn read_message(rest: &mut &[u8]) -> Result<Received, Malformed> {
    let length = u32_at(rest, 0)? as usize;
    let kind = u16_at(rest, 4)?;
    let flags = u16_at(rest, 6)?;
    let sequence = u32_at(rest, 8)?;
    let body = rest.get(HEADER..length).ok_or(Malformed)?;
    *rest = rest.get(align(length)..).unwrap_or_default();
    let is_interrupted = flags & NLM_F_DUMP_INTR != 0;
    Ok(Received { sequence, is_interrupted, message: read_body(kind, body)? })
}

fn read_body(kind: u16, body: &[u8]) -> Result<Message, Malformed> {
    Ok(match kind {
        RTM_NEWLINK => Message::Link(read_link(body)?),
        RTM_DELLINK => Message::LinkGone(u32_at(body, 4)?),
        RTM_NEWADDR | RTM_DELADDR => match (read_address(body)?, kind) {
            // Of a family that is not IP.
            (None, _) => Message::Other(kind),
            (Some(address), RTM_NEWADDR) => Message::Address(address),
            (Some(address), _) => Message::AddressGone(address),
        },
        NLMSG_DONE => Message::Done(i32_at(body, 0).unwrap_or(0)),
        NLMSG_ERROR => Message::Error(i32_at(body, 0)?),
        other => Message::Other(other),
    })
}

fn read_link(body: &[u8]) -> Result<Link, Malformed> {
    let flags = u32_at(body, 8)?;
    let mut link = Link {
        index: u32_at(body, 4)?,
        name: String::new(),
        mac: None,
        is_up: flags & IFF_UP != 0,
        is_loopback: flags & IFF_LOOPBACK != 0,
        master: None,
    };
    let is_ethernet = u16_at(body, 2)? == ARPHRD_ETHER;
    for attribute in attributes(body, IFINFOMSG)? {
        let (kind, value) = attribute?;
        match kind {
            IFLA_IFNAME => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                link.name = String::from_utf8_lossy(name).into_owned();
            }
            IFLA_ADDRESS if is_ethernet => link.mac = value.try_into().ok(),
            IFLA_MASTER => link.master = Some(u32_at(value, 0)?),
            _ => {}
        }
    }
    Ok(link)
}

/// `None` for an address that is not IP.
fn read_address(body: &[u8]) -> Result<Option<Address>, Malformed> {
    let [family, prefix, flags, scope] = *chunk(body, 0)?;
    let index = u32_at(body, 4)?;
    let mut flags = u32::from(flags);
    let mut far = None;
    let mut own = None;
    for attribute in attributes(body, IFADDRMSG)? {
        let (kind, value) = attribute?;
        match kind {
            IFA_ADDRESS => far = read_ip(family, value),
            IFA_LOCAL => own = read_ip(family, value),
            // The header has room for the first eight only.
            IFA_FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the other end's. IPv6 has IFA_LOCAL there only.
    Ok(own.or(far).map(|ip| Address {
        index,
        ip,
        prefix,
        is_link_local: scope == RT_SCOPE_LINK,
        is_usable: flags & IFA_F_DADFAILED == 0
            && (flags & IFA_F_TENTATIVE == 0 || flags & IFA_F_OPTIMISTIC != 0),
        is_temporary: ip.is_ipv6() && flags & IFA_F_TEMPORARY != 0,
    }))
}

fn read_ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(value).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        AF_INET6 => <[u8; 16]>::try_from(value).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

/// The attributes of a message, which follow the fixed part of this length.
fn attributes(body: &[u8], fixed: usize) -> Result<Attributes<'_>, Malformed> {
    body.get(fixed..).map(Attributes).ok_or(Malformed)
}

/// Ends after the first malformed attribute.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        next_of(&mut self.0, read_attribute)
    }
}

fn read_attribute<'a>(rest: &mut &'a [u8]) -> Result<(u16, &'a [u8]), Malformed> {
    let length = usize::from(u16_at(rest, 0)?);
    let kind = u16_at(rest, 2)? & NLA_TYPE_MASK;
    let value = rest.get(ATTRIBUTE_HEADER..length).ok_or(Malformed)?;
    *rest = rest.get(align(length)..).unwrap_or_default();
    Ok((kind, value))
}

/// Messages and attributes begin at multiples of four.
fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    chunk(bytes, at).map(|chunk| u16::from_ne_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    chunk(bytes, at).map(|chunk| u32::from_ne_bytes(*chunk))
}

fn i32_at(bytes: &[u8], at: usize) -> Result<i32, Malformed> {
    chunk(bytes, at).map(|chunk| i32::from_ne_bytes(*chunk))
}

fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Result<&[u8; N], Malformed> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Malformed)
}

/// A request for everything of this kind: `RTM_GETLINK` or `RTM_GETADDR`.
pub(super) fn dump_request(kind: u16, sequence: u32) -> Vec<u8> {
    let body = if kind == RTM_GETLINK { IFINFOMSG } else { IFADDRMSG };
    let length = HEADER + body;
    let mut request = Vec::with_capacity(length);
    request.extend_from_slice(&u32::try_from(length).unwrap_or(0).to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.extend_from_slice(&sequence.to_ne_bytes());
    // The rest is 0: our port, which the kernel knows, and any family and interface.
    request.resize(length, 0);
    request
}

const HEADER: usize = 16;
const IFINFOMSG: usize = 16;
const IFADDRMSG: usize = 8;
const ATTRIBUTE_HEADER: usize = 4;
/// Without the flags of nested attributes and of the byte order.
const NLA_TYPE_MASK: u16 = 0x3fff;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
pub(super) const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
pub(super) const RTM_GETADDR: u16 = 22;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
const ARPHRD_ETHER: u16 = 1;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const RT_SCOPE_LINK: u8 = 253;
/// For IPv4 the same bit says that the address is a secondary one.
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message with this body, whose fields are in native order as the kernel's.
    fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes.resize(align(bytes.len()), 0);
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(align(bytes.len()), 0);
        bytes
    }

    fn link_body(hardware: u16, index: u32, flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0, 0];
        body.extend(hardware.to_ne_bytes());
        body.extend(index.to_ne_bytes());
        body.extend(flags.to_ne_bytes());
        body.extend([0xff; 4]);
        body.extend(attributes.concat());
        body
    }

    fn address_body(fixed: [u8; 4], index: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        [&fixed[..], &index.to_ne_bytes(), &attributes.concat()].concat()
    }

    fn only(bytes: &[u8]) -> Message {
        let mut all = messages(bytes);
        let first = all.next().unwrap().unwrap();
        assert_eq!(all.next(), None);
        first.message
    }

    fn address(bytes: &[u8]) -> Address {
        match only(bytes) {
            Message::Address(address) => address,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_link_has_its_name_mac_and_master() {
        let attributes = [
            attribute(IFLA_ADDRESS, &[0x00, 0x16, 0x3e, 0x11, 0x22, 0x33]),
            attribute(IFLA_IFNAME, b"enX0\0"),
            attribute(99, b"unknown"),
            attribute(IFLA_MASTER, &7_u32.to_ne_bytes()),
        ];
        let body = link_body(ARPHRD_ETHER, 2, IFF_UP, &attributes);
        let link = Link {
            index: 2,
            name: "enX0".into(),
            mac: Some([0x00, 0x16, 0x3e, 0x11, 0x22, 0x33]),
            is_up: true,
            is_loopback: false,
            master: Some(7),
        };
        assert_eq!(only(&message(RTM_NEWLINK, 0, 0, &body)), Message::Link(link));
        assert_eq!(only(&message(RTM_DELLINK, 0, 0, &body)), Message::LinkGone(2));
    }

    #[test]
    fn only_ethernet_has_a_mac() {
        let attributes = [attribute(IFLA_ADDRESS, &[0; 6]), attribute(IFLA_IFNAME, b"lo\0")];
        let body = link_body(772, 1, IFF_UP | IFF_LOOPBACK, &attributes);
        let Message::Link(link) = only(&message(RTM_NEWLINK, 0, 0, &body)) else { panic!() };
        assert_eq!((link.mac, link.is_loopback), (None, true));
    }

    #[test]
    fn an_address_is_the_guests_own_and_not_the_other_ends() {
        let own = attribute(IFA_LOCAL, &[10, 0, 0, 2]);
        let far = attribute(IFA_ADDRESS, &[10, 0, 0, 1]);
        for attributes in [[own.clone(), far.clone()], [far, own]] {
            let body = address_body([AF_INET, 32, 0x80, 0], 3, &attributes);
            let read = address(&message(RTM_NEWADDR, 0, 0, &body));
            assert_eq!(read.ip, IpAddr::from([10, 0, 0, 2]));
            assert_eq!((read.index, read.prefix, read.is_usable), (3, 32, true));
        }
    }

    #[test]
    fn flags_in_the_attribute_count_more_than_those_in_the_header() {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let read = |header: u8, flags: u32| {
            let attributes =
                [attribute(IFA_ADDRESS, &ip.octets()), attribute(IFA_FLAGS, &flags.to_ne_bytes())];
            let body = address_body([AF_INET6, 64, header, RT_SCOPE_LINK], 2, &attributes);
            address(&message(RTM_NEWADDR, 0, 0, &body))
        };
        assert!(read(0x40, 0x200).is_usable);
        assert!(!read(0, IFA_F_TENTATIVE).is_usable);
        assert!(read(0, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC).is_usable);
        assert!(!read(0, IFA_F_DADFAILED).is_usable);
        assert!(read(0, IFA_F_TEMPORARY).is_temporary);
        assert!(read(0, 0).is_link_local);
    }

    #[test]
    fn a_secondary_address_of_ipv4_is_not_temporary() {
        let body = address_body([AF_INET, 24, 0x01, 0], 2, &[attribute(IFA_LOCAL, &[10, 0, 0, 2])]);
        assert!(!address(&message(RTM_NEWADDR, 0, 0, &body)).is_temporary);
    }

    #[test]
    fn what_is_not_ip_is_another_message() {
        let body = address_body([29, 0, 0, 0], 2, &[attribute(IFA_ADDRESS, &[1])]);
        assert_eq!(only(&message(RTM_NEWADDR, 0, 0, &body)), Message::Other(RTM_NEWADDR));
        let short = address_body([AF_INET, 24, 0, 0], 2, &[attribute(IFA_LOCAL, &[10, 0])]);
        assert_eq!(only(&message(RTM_NEWADDR, 0, 0, &short)), Message::Other(RTM_NEWADDR));
    }

    #[test]
    fn several_messages_stand_in_one_datagram() {
        let gone = link_body(ARPHRD_ETHER, 9, 0, &[]);
        let datagram = [
            message(RTM_DELLINK, NLM_F_DUMP_INTR, 5, &gone),
            message(77, 0, 5, &[1, 2, 3]),
            message(NLMSG_ERROR, 0, 5, &(-13_i32).to_ne_bytes()),
            message(NLMSG_DONE, 0, 5, &0_u32.to_ne_bytes()),
        ]
        .concat();
        let read: Vec<_> = messages(&datagram).map(Result::unwrap).collect();
        let kinds: Vec<_> = read.iter().map(|received| received.message.clone()).collect();
        let expected =
            [Message::LinkGone(9), Message::Other(77), Message::Error(-13), Message::Done(0)];
        assert_eq!(kinds, expected);
        assert_eq!(
            read.iter().map(|received| received.is_interrupted).collect::<Vec<_>>(),
            [true, false, false, false]
        );
        assert!(read.iter().all(|received| received.sequence == 5));
    }

    #[test]
    fn lengths_that_lie_are_malformed() {
        let body = link_body(ARPHRD_ETHER, 2, 0, &[attribute(IFLA_IFNAME, b"eth0\0")]);
        let good = message(RTM_NEWLINK, 0, 0, &body);
        for length in [0_u32, 1, 15, u32::try_from(good.len()).unwrap() + 1, u32::MAX] {
            let mut bytes = good.clone();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let read: Vec<_> = messages(&bytes).collect();
            assert_eq!(read, [Err(Malformed)], "{length}");
        }
        for length in [0_u16, 3, 14, u16::MAX] {
            let mut bytes = good.clone();
            bytes[HEADER + IFINFOMSG..][..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).next(), Some(Err(Malformed)), "{length}");
        }
    }

    #[test]
    fn a_request_is_a_message_of_its_own_kind() {
        for (kind, body) in [(RTM_GETLINK, IFINFOMSG), (RTM_GETADDR, IFADDRMSG)] {
            let request = dump_request(kind, 3);
            assert_eq!(request.len(), HEADER + body);
            let read = messages(&request).next().unwrap().unwrap();
            assert_eq!((read.sequence, read.message), (3, Message::Other(kind)));
        }
    }

    fn any_message() -> impl Strategy<Value = Vec<u8>> {
        let kinds = prop::sample::select(vec![2_u16, 3, 16, 17, 20, 21, 77]);
        let attributes = prop::collection::vec(
            (0_u16..12, prop::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(kind, value)| attribute(kind, &value)),
            0..6,
        );
        let fixed = prop_oneof![
            prop::array::uniform16(any::<u8>()).prop_map(Vec::from),
            (prop::sample::select(vec![AF_INET, AF_INET6, 0]), prop::array::uniform7(any::<u8>()))
                .prop_map(|(family, rest)| [vec![family], rest.to_vec()].concat()),
        ];
        (kinds, any::<u16>(), any::<u32>(), fixed, attributes).prop_map(
            |(kind, flags, sequence, fixed, attributes)| {
                message(kind, flags, sequence, &[fixed, attributes.concat()].concat())
            },
        )
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let read: Vec<_> = messages(&bytes).collect();
            // Each message takes its header at least, but for the malformed one at the end.
            prop_assert!(read.len() <= bytes.len() / HEADER + 1);
            prop_assert!(read.iter().rev().skip(1).all(Result::is_ok));
        }

        #[test]
        fn changed_and_truncated_messages_are_read_or_malformed(
            datagram in prop::collection::vec(any_message(), 1..4).prop_map(|all| all.concat()),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            end in any::<prop::sample::Index>(),
        ) {
            let mut bytes = datagram;
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(end.index(bytes.len() + 1));
            let read: Vec<_> = messages(&bytes).collect();
            prop_assert!(read.len() <= bytes.len() / HEADER + 1);
            prop_assert!(read.iter().rev().skip(1).all(Result::is_ok));
        }

        #[test]
        fn a_truncated_message_is_never_read(one in any_message(), end in any::<prop::sample::Index>()) {
            let length = u32::from_ne_bytes(one[..4].try_into().unwrap()) as usize;
            let end = end.index(length);
            let read: Vec<_> = messages(&one[..end]).collect();
            prop_assert!(read.iter().all(Result::is_err), "{:?}", read);
        }
    }
}
