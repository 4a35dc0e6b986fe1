//! Finds a TCP socket in `/proc/net/tcp` and `/proc/net/tcp6`, which the kernel writes anew for
//! each reader.

use super::socket::Socket;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The most that is read of a table, in bytes: some 400,000 sockets.
const MAX_TABLE: u64 = 64 << 20;

/// The socket with the address `source` that is connected to `destination`; `None` if there is
/// none. Reads the tables of all sockets.
pub(super) fn find(source: SocketAddr, destination: SocketAddr) -> io::Result<Option<Socket>> {
    if source.is_ipv4() {
        if let Some(socket) = find_in("/proc/net/tcp", source, destination)? {
            return Ok(Some(socket));
        }
    }
    match find_in("/proc/net/tcp6", source, destination) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result,
    }
}

fn find_in(path: &str, source: SocketAddr, destination: SocketAddr) -> io::Result<Option<Socket>> {
    let is_ipv6 = path.ends_with('6');
    let wanted = [written(source, is_ipv6), written(destination, is_ipv6)];
    let mut table = BufReader::new(File::open(path)?.take(MAX_TABLE));
    let mut line = String::new();
    while table.read_line(&mut line)? > 0 {
        if let Some((state, uid, inode)) = read_line(&line, &wanted) {
            return Ok(Some(Socket { source, destination, state, uid, inode }));
        }
        line.clear();
    }
    if table.get_ref().limit() == 0 {
        return Err(io::Error::other(format!("{path} is longer than {MAX_TABLE} bytes")));
    }
    Ok(None)
}

/// State, user and inode in the line of the socket with these addresses; `None` in all other lines:
/// `2: 0100007F:1F40 0100007F:9D3C 01 00000000:00000000 00:00000000 00000000 1000 0 4912802 ...`
fn read_line(line: &str, wanted: &[String; 2]) -> Option<(u8, u32, u64)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if !wanted.iter().all(|address| words.next() == Some(address)) {
        return None;
    }
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    // Queues, timers, and lost packets.
    let mut words = words.skip(3);
    let uid = words.next()?.parse().ok()?;
    let inode = words.nth(1)?.parse().ok()?;
    Some((state, uid, inode))
}

/// An address as the tables have it: `0100007F:1F40`. Each 32 bits of an IP address are a number in
/// the machine's byte order.
fn written(address: SocketAddr, is_ipv6: bool) -> String {
    let mapped = |ip: Ipv4Addr| ip.to_ipv6_mapped().octets().to_vec();
    let octets = match address.ip() {
        IpAddr::V4(ip) if is_ipv6 => mapped(ip),
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut text = String::new();
    for number in octets.chunks_exact(4).filter_map(<[u8]>::first_chunk) {
        // A text takes everything.
        write!(text, "{:08X}", u32::from_ne_bytes(*number)).ok();
    }
    write!(text, ":{:04X}", address.port()).ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_state_user_and_inode() {
        let line = "   2: AA:1F40 BB:9D3C 08 00000000:00000001 00:00000000 00000000  1000        0 \
                    4912802 1 00000000c96308ca 20 4 0 10 -1\n";
        let wanted = ["AA:1F40".to_owned(), "BB:9D3C".to_owned()];
        assert_eq!(read_line(line, &wanted), Some((8, 1000, 4_912_802)));
        let [one, other] = wanted.clone();
        assert_eq!(read_line(line, &[other, one]), None);
        assert_eq!(read_line("  sl  local_address rem_address   st tx_queue\n", &wanted), None);
        assert_eq!(read_line("", &wanted), None);
        assert_eq!(read_line("   2: AA:1F40 BB:9D3C 08 0 0", &wanted), None);
    }

    #[test]
    fn addresses_are_written_as_the_kernel_does() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8000));
        let number = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let loopback = number([127, 0, 0, 1]);
        assert_eq!(written(address, false), format!("{loopback}:1F40"));
        let mapped = format!("{0}{0}{1}{loopback}:1F40", number([0; 4]), number([0, 0, 255, 255]));
        assert_eq!(written(address, true), mapped);
        let ipv6 = written("[::1]:80".parse().unwrap(), true);
        assert_eq!(ipv6, format!("{0}{0}{0}{1}:0050", number([0; 4]), number([0, 0, 0, 1])));
    }
}
