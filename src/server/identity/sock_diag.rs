//! Asks the kernel for a TCP socket by netlink (`sock_diag(7)`), which takes some microseconds.
//!
//! Numbers are in the machine's byte order, addresses and ports in that of the network.

use super::socket::Socket;
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, sendto, socket_with,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The kernel's names for the parts of messages.
const NLMSG_ERROR: u16 = 2;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const IPPROTO_TCP: u8 = 6;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const INET_DIAG_NOCOOKIE: [u8; 8] = [0xff; 8];

/// Bytes of the header of a message (`struct nlmsghdr`).
const HEADER: usize = 16;

/// Bytes of a request: the header and `struct inet_diag_req_v2`.
const REQUEST: u32 = 72;

/// Enough for a header, `struct inet_diag_msg` and its attributes.
const ANSWER: usize = 4096;

/// The socket with the address `source` that is connected to `destination`; `None` if there is
/// none. The kernel may answer with another socket that has the port of `source`.
pub(super) fn find(source: SocketAddr, destination: SocketAddr) -> io::Result<Option<Socket>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let netlink = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&netlink, &request(source, destination), SendFlags::empty(), &kernel)?;
    let mut buffer = [0; ANSWER];
    // The kernel has answered before it returned from the request.
    let answer = recvfrom(&netlink, &mut buffer[..], RecvFlags::DONTWAIT)?;
    let length = answer.0;
    let from_kernel = answer.2.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
    if from_kernel.is_none_or(|sender| sender.pid() != 0) {
        return Err(io::Error::other("an answer of somebody else"));
    }
    read_answer(buffer.get(..length).unwrap_or_default())
}

/// `struct nlmsghdr`, and `struct inet_diag_req_v2` for one socket.
fn request(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (family, scope) = match source {
        SocketAddr::V4(_) => (AF_INET, 0),
        SocketAddr::V6(address) => (AF_INET6, address.scope_id()),
    };
    let header = [
        &REQUEST.to_ne_bytes()[..],
        &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        // Number and sender of the message.
        &[0; 8],
    ];
    let question = [
        &[family, IPPROTO_TCP, 0, 0][..],
        // Sockets in every state.
        &u32::MAX.to_ne_bytes(),
        &source.port().to_be_bytes(),
        &destination.port().to_be_bytes(),
        &octets(source.ip()),
        &octets(destination.ip()),
        &scope.to_ne_bytes(),
        &INET_DIAG_NOCOOKIE,
    ];
    [header.concat(), question.concat()].concat()
}

/// An address in 16 bytes.
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Reads the kernel's answer: a socket, or an error.
fn read_answer(message: &[u8]) -> io::Result<Option<Socket>> {
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let kind = u16::from_ne_bytes(part(message, 4).ok_or_else(cut_off)?);
    let body = message.get(HEADER..).ok_or_else(cut_off)?;
    match kind {
        SOCK_DIAG_BY_FAMILY => read_socket(body).map(Some).ok_or_else(cut_off),
        NLMSG_ERROR => {
            let error = i32::from_ne_bytes(part(body, 0).ok_or_else(cut_off)?);
            let error = Errno::from_raw_os_error(error.wrapping_neg());
            if error == Errno::NOENT { Ok(None) } else { Err(error.into()) }
        }
        other => Err(io::Error::other(format!("an unknown answer of type {other}"))),
    }
}

/// `struct inet_diag_msg`.
fn read_socket(body: &[u8]) -> Option<Socket> {
    let [family, state] = part(body, 0)?;
    let address = |port_at: usize, ip_at: usize| {
        let ip = match family {
            AF_INET => IpAddr::V4(Ipv4Addr::from(part::<4>(body, ip_at)?)),
            AF_INET6 => IpAddr::V6(Ipv6Addr::from(part::<16>(body, ip_at)?)),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(part(body, port_at)?)))
    };
    Some(Socket {
        source: address(4, 8)?,
        destination: address(6, 24)?,
        state,
        uid: u32::from_ne_bytes(part(body, 64)?),
        inode: u32::from_ne_bytes(part(body, 68)?).into(),
    })
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_length_that_they_name() {
        for pair in [["127.0.0.1:4711", "127.0.0.1:8000"], ["[::1]:4711", "[::1]:8000"]] {
            let [source, destination] = pair.map(|address| address.parse().unwrap());
            let request = request(source, destination);
            assert_eq!(u32::try_from(request.len()), Ok(REQUEST));
            assert_eq!(request[24..28], [0x12, 0x67, 0x1f, 0x40], "ports");
        }
    }

    #[test]
    fn answers_that_are_cut_off_or_unknown_are_errors() {
        let header = |kind: u16| [&[0; 4][..], &kind.to_ne_bytes(), &[0; 10]].concat();
        let error = |code: i32| [header(NLMSG_ERROR), code.to_ne_bytes().to_vec()].concat();
        assert_eq!(read_answer(&error(-2)).unwrap(), None);
        assert_eq!(read_answer(&error(-1)).unwrap_err().raw_os_error(), Some(1));
        let mut socket = [header(SOCK_DIAG_BY_FAMILY), vec![0; 72]].concat();
        socket[HEADER] = AF_INET;
        assert!(read_answer(&socket).unwrap().is_some());
        for length in 0..socket.len() {
            assert!(read_answer(&socket[..length]).is_err(), "{length}");
        }
        assert!(read_answer(&[header(3), vec![0; 72]].concat()).is_err());
    }
}
