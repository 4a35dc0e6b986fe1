//! What another host may send to the relocation port: no message makes the receiver panic, and it
//! answers with one expression a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use xend::server::Identities;
use xend::sxp::{Limits, read_all};
use xend::wire::relocation::RelocationServer;
use xend_fuzz::Host;

/// How long a connection may pause.
const PAUSE: Duration = Duration::from_secs(5);

thread_local! {
    static PORT: RefCell<(Host, SocketAddr)> = RefCell::new(serve());
}

fn serve() -> (Host, SocketAddr) {
    let host = Host::start();
    let engine = host.engine.clone();
    let address = host.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let callers = Arc::new(Identities::new(Arc::default(), Arc::default()));
        let server = RelocationServer::new(engine, Arc::default(), callers, PAUSE);
        tokio::spawn(server.serve(listener, CancellationToken::new()));
        address
    });
    (host, address)
}

fuzz_target!(|bytes: &[u8]| {
    PORT.with_borrow(|(_, address)| {
        let mut stream = TcpStream::connect(address).unwrap();
        // The receiver may have refused the rest.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(read_all(&answer, &Limits::default()).is_ok(), "{answer:?}");
    });
});
