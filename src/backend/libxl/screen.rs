//! A guest's screen: QEMU's VNC server.
//!
//! The toolstack writes the port into XenStore, where the guest cannot change it. The address is
//! that of the domain's configuration, never one of a request.

use super::host::XenHost;
use crate::backend::rfb_login::log_in;
use crate::core::backend::no_screen;
use crate::core::error::Error;
use crate::core::model::{Password, Vfb};
use crate::core::ports::GuestStream;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::TcpStream;

/// A screen to which nobody is connected yet.
pub(super) struct Screen {
    address: SocketAddr,
    password: Option<Password>,
}

impl XenHost {
    /// The screen of a guest.
    pub(super) fn screen(&self, domid: u32) -> Result<Screen, Error> {
        let config = self.config(domid)?;
        let port = self.console_ports(domid).vnc.ok_or_else(no_screen)?;
        let frame_buffer = config.frame_buffer().ok_or_else(no_screen)?;
        Screen::of(frame_buffer, port, self.vnc_password.as_ref())
    }
}

impl Screen {
    fn of(frame_buffer: &Vfb, port: u16, host: Option<&Password>) -> Result<Self, Error> {
        let listen = frame_buffer.vnc_listen();
        let ip = connectable(&listen).ok_or_else(|| {
            let reason = format!("vnclisten: {listen:?} is no IP address, which xend connects to");
            Error::Unsupported(reason)
        })?;
        let password = frame_buffer.vnc_password(host);
        Ok(Self { address: SocketAddr::new(ip, port), password })
    }

    /// Connects, and logs in.
    pub(super) async fn connect(self) -> Result<Box<dyn GuestStream>, Error> {
        let unusable = |error| Error::backend("The screen cannot be opened", error);
        let mut stream = TcpStream::connect(self.address).await.map_err(unusable)?;
        // Keys and moves of the pointer are small, and do not wait for each other.
        stream.set_nodelay(true).map_err(unusable)?;
        log_in(&mut stream, self.password.as_ref()).await.map_err(unusable)?;
        Ok(Box::new(stream))
    }
}

/// The address at which a server that listens here is reached from this host; `None` if the text,
/// which may end with a display (`10.0.0.1:3`), has no address.
fn connectable(listen: &str) -> Option<IpAddr> {
    let listen = listen.trim();
    let without_display = || listen.rsplit_once(':').map_or(listen, |(address, _)| address);
    let ip = match listen.parse::<IpAddr>() {
        Ok(ip) => ip,
        Err(_) => match without_display() {
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            "" => Ipv4Addr::UNSPECIFIED.into(),
            address => address.parse().ok()?,
        },
    };
    Some(match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Property;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn frame_buffer(settings: &[(&str, &str)]) -> Vfb {
        let settings = settings.iter().map(|(key, value)| Property::new(*key, *value));
        Vfb { rest: settings.collect(), ..Vfb::default() }
    }

    #[test]
    fn a_screen_is_reached_where_it_listens() {
        for (listen, address) in [
            ("127.0.0.1", "127.0.0.1:5901"),
            ("0.0.0.0", "127.0.0.1:5901"),
            ("", "127.0.0.1:5901"),
            ("localhost", "127.0.0.1:5901"),
            ("::", "[::1]:5901"),
            ("192.0.2.7", "192.0.2.7:5901"),
            ("192.0.2.7:1", "192.0.2.7:5901"),
        ] {
            let screen = Screen::of(&frame_buffer(&[("vnclisten", listen)]), 5901, None).unwrap();
            assert_eq!(screen.address.to_string(), address, "{listen}");
        }
        let screen = Screen::of(&frame_buffer(&[]), 5900, None).unwrap();
        assert_eq!(screen.address.to_string(), "127.0.0.1:5900");
        let elsewhere = Screen::of(&frame_buffer(&[("vnclisten", "db.example")]), 5900, None);
        assert!(elsewhere.err().unwrap().to_string().starts_with("vnclisten: \"db.example\""));
    }

    #[tokio::test]
    async fn the_stream_begins_after_the_login() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Password::new("secret".into());
        let screen = Screen::of(&frame_buffer(&[]), port, host.as_ref()).unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"RFB 003.003\n\0\0\0\x020123456789abcdef\0\0\0\0after")
                .await
                .unwrap();
            let mut sent = [0; 12 + 16];
            stream.read_exact(&mut sent).await.unwrap();
            sent
        });
        let mut stream = screen.connect().await.unwrap();
        let mut after = [0; 5];
        stream.read_exact(&mut after).await.unwrap();
        assert_eq!(&after, b"after");
        let sent = server.await.unwrap();
        assert!(sent.starts_with(b"RFB 003.003\n\x75\x24\x40\xee"), "{sent:?}");
    }
}
