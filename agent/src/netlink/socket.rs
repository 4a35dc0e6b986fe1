//! Questions to the kernel, and the changes it tells of.

use super::message::{self, Address, Link, Message};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The most interfaces that are kept. Further ones are left out.
pub const MAX_INTERFACES: usize = 4096;
/// The most addresses of one interface that are kept. Further ones are left out.
pub const MAX_ADDRESSES: usize = 256;

/// The kernel puts at most this many bytes of an answer into one datagram.
const BUFFER: usize = 32 << 10;
/// The most datagrams of one answer, and of one look at changes.
const MAX_DATAGRAMS: usize = 4096;
/// How long one datagram of an answer may take. The kernel answers at once.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How often an answer is asked for again that changed while it was made.
const TRIES: usize = 4;

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;

/// An interface with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub link: Link,
    /// In the kernel's order.
    pub addresses: Vec<Address>,
}

/// All interfaces of this network namespace, by index, with their addresses.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut questions = Questions::open()?;
    let mut interfaces = Vec::new();
    for message in questions.dump(message::RTM_GETLINK)? {
        match message {
            Message::Link(link) if interfaces.len() < MAX_INTERFACES => {
                interfaces.push(Interface { link, addresses: Vec::new() });
            }
            _ => {}
        }
    }
    interfaces.sort_by_key(|interface| interface.link.index);
    for message in questions.dump(message::RTM_GETADDR)? {
        let Message::Address(address) = message else { continue };
        let at = interfaces.binary_search_by_key(&address.index, |interface| interface.link.index);
        let interface = at.ok().and_then(|at| interfaces.get_mut(at));
        if let Some(interface) = interface.filter(|one| one.addresses.len() < MAX_ADDRESSES) {
            interface.addresses.push(address);
        }
    }
    Ok(interfaces)
}

/// A socket for questions.
struct Questions {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Questions {
    fn open() -> io::Result<Self> {
        let socket = open(SocketFlags::CLOEXEC, 0)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_LIMIT))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Everything of one kind. If it never stands still, the last answer is as good as any.
    fn dump(&mut self, kind: u16) -> io::Result<Vec<Message>> {
        let mut answer = Answer::default();
        for _ in 0..TRIES {
            answer = self.ask(kind)?;
            if !answer.is_interrupted {
                break;
            }
        }
        Ok(answer.messages)
    }

    fn ask(&mut self, kind: u16) -> io::Result<Answer> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = message::dump_request(kind, self.sequence);
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, &request, SendFlags::empty(), &kernel)?;
        let mut answer = Answer::default();
        for _ in 0..MAX_DATAGRAMS {
            let datagram = receive(&self.socket, &mut self.buffer)?;
            for received in message::messages(datagram) {
                let received = received.map_err(io::Error::other)?;
                if received.sequence != self.sequence {
                    continue;
                }
                answer.is_interrupted |= received.is_interrupted;
                match received.message {
                    Message::Done(0) => return Ok(answer),
                    Message::Done(error) | Message::Error(error) => {
                        return Err(io::Error::from_raw_os_error(error.saturating_neg()));
                    }
                    message => answer.messages.push(message),
                }
            }
        }
        Err(io::Error::other("The kernel's answer about interfaces does not end"))
    }
}

#[derive(Default)]
struct Answer {
    messages: Vec<Message>,
    is_interrupted: bool,
}

/// Tells that interfaces or addresses have changed. Its descriptor becomes readable then.
#[derive(Debug)]
pub struct Changes {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Changes {
    /// Listens from now on.
    pub fn subscribe() -> io::Result<Self> {
        let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let socket = open(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, groups)?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// Takes what the kernel has told since the last call, and says whether anything may have
    /// changed. Does not wait.
    pub fn take(&mut self) -> io::Result<bool> {
        let mut has_changed = false;
        for _ in 0..MAX_DATAGRAMS {
            match receive(&self.socket, &mut self.buffer) {
                // Or the kernel had more to tell than the socket holds.
                Ok(_) | Err(Errno::NOBUFS) => has_changed = true,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(has_changed)
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn open(flags: SocketFlags, groups: u32) -> io::Result<OwnedFd> {
    // No protocol is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// One datagram of the kernel's. Other processes can send, too: what they send is empty.
fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let (length, sender) = loop {
        match recvfrom(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((length, _, sender)) => break (length, sender),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    };
    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
    match sender {
        Some(sender) if sender.pid() == 0 => Ok(buffer.get(..length).unwrap_or_default()),
        _ => Ok(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::net::Ipv4Addr;

    #[test]
    fn this_machines_loopback_interface_has_its_address() {
        let all = interfaces().unwrap();
        let loopback = all.iter().find(|interface| interface.link.is_loopback).unwrap();
        assert_eq!(loopback.link.name, "lo");
        assert_eq!(loopback.link.mac, None);
        if loopback.link.is_up {
            let ips: Vec<_> = loopback.addresses.iter().map(|address| address.ip).collect();
            assert!(ips.contains(&Ipv4Addr::LOCALHOST.into()), "{ips:?}");
        }
    }

    #[test]
    fn each_address_is_of_its_interface() {
        let all = interfaces().unwrap();
        assert!(all.windows(2).all(|pair| pair[0].link.index < pair[1].link.index));
        for interface in &all {
            let index = interface.link.index;
            assert!(interface.addresses.iter().all(|address| address.index == index));
        }
    }

    #[test]
    fn a_quiet_subscription_has_nothing_and_does_not_wait() {
        let mut changes = Changes::subscribe().unwrap();
        // Other processes of this machine may change something now: not for ever.
        assert!((0..100).any(|_| !changes.take().unwrap()));
    }

    #[test]
    fn what_comes_to_a_subscription_is_a_change() {
        let mut changes = Changes::subscribe().unwrap();
        while changes.take().unwrap() {}
        // The answer to a question stands in for a change, which only root can make.
        let request = message::dump_request(message::RTM_GETLINK, 1);
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&changes, &request, SendFlags::empty(), &kernel).unwrap();
        let mut ready = [PollFd::new(&changes, PollFlags::IN)];
        let limit = Timespec { tv_sec: 5, tv_nsec: 0 };
        assert_eq!(poll(&mut ready, Some(&limit)).unwrap(), 1);
        assert!(changes.take().unwrap());
    }

    #[test]
    fn what_another_process_sends_is_no_answer() {
        let ours = open(SocketFlags::CLOEXEC, 0).unwrap();
        set_socket_timeout(&ours, Timeout::Recv, Some(Duration::from_millis(200))).unwrap();
        let address = rustix::net::getsockname(&ours).unwrap();
        let theirs = open(SocketFlags::CLOEXEC, 0).unwrap();
        let mut buffer = [0; 64];
        // The kernel itself refuses it to ordinary users.
        if sendto(&theirs, b"forged", SendFlags::empty(), &address).is_ok() {
            assert_eq!(receive(&ours, &mut buffer).unwrap(), b"");
        }
    }
}
