//! Ports for programs that are told which one to open.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The first of the ports, and their number. They are below those that Linux gives to connections
/// (`net.ipv4.ip_local_port_range`, from 32768): a free one of those is soon taken by one of the
/// thousands of connections that tests make.
const FIRST: u16 = 10_000;
const NUMBER: u16 = 10_000;

/// A port that nobody listens on, on any address, and that this process was not given before.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different places.
    let start = u16::try_from(std::process::id() * 97 % u32::from(NUMBER)).unwrap();
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(given < NUMBER, "no port is free");
        let port = FIRST + (start + given) % NUMBER;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// An address of the loopback interface with such a port.
pub(crate) fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}
