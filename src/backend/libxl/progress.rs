//! What can be seen of a call of libxl while it is being made: the bytes that it moves, the memory
//! of the domain, its device model and its backends in XenStore.

use super::Inner;
use super::domains::parse;
use super::facts::DomInfo;
use super::ffi::Libxl;
use crate::core::model::Uuid;
use crate::core::transfer::{Stage, Transfer};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often the bytes are counted.
const COUNT: Duration = Duration::from_millis(250);

/// How often XenStore is read.
const LOOK: Duration = Duration::from_secs(1);

/// Makes a call, and calls `look` every now and then meanwhile.
pub(super) fn meanwhile<T>(mut look: impl FnMut() + Send, call: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, wait) = mpsc::channel::<()>();
        scope.spawn(move || {
            while wait.recv_timeout(COUNT) == Err(mpsc::RecvTimeoutError::Timeout) {
                look();
            }
        });
        let outcome = call();
        drop(done);
        outcome
    })
}

/// Makes a call that moves `position`, and counts the bytes.
pub(super) fn while_moving<T>(
    transfer: &Transfer,
    position: impl Fn() -> Option<u64> + Send,
    call: impl FnOnce() -> T,
) -> T {
    let mut at = position().unwrap_or(0);
    let count = move || {
        if let Some(now) = position() {
            transfer.advance(now.saturating_sub(at));
            at = now;
        }
    };
    meanwhile(count, call)
}

/// How much of a stream has been read: the offset of a file, which libxl's helper shares with us,
/// or what a socket has received.
pub(super) fn position(stream: &OwnedFd) -> Option<u64> {
    rustix::fs::tell(stream).ok().or_else(|| Libxl::received(stream.as_fd()))
}

impl Inner {
    /// Makes a call that builds a domain, and shows how far that is. `stream` is what it is built
    /// from, if it is restored.
    pub(super) fn while_building<T>(
        &self,
        uuid: Uuid,
        stream: Option<&OwnedFd>,
        transfer: &Transfer,
        call: impl FnOnce() -> T,
    ) -> T {
        let mut looked = Instant::now();
        let mut at = stream.and_then(position).unwrap_or(0);
        let look = move || {
            if let Some(now) = stream.and_then(position) {
                transfer.advance(now.saturating_sub(at));
                at = now;
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if let Some(seen) = self.seen(uuid) {
                    let (stage, detail) = seen.stage();
                    transfer.observe(stage, detail);
                }
            }
        };
        meanwhile(look, call)
    }

    /// Makes a call that takes a domain apart, and shows how its memory is freed.
    pub(super) fn while_freeing<T>(
        &self,
        domid: u32,
        transfer: &Transfer,
        call: impl FnOnce() -> T,
    ) -> T {
        let look = || {
            // A call that was given up is looked at no more.
            if transfer.is_cancelled() {
                return;
            }
            if let Ok(Some(info)) = self.info_of(domid) {
                transfer.observe(Stage::Freeing, memory(info.current_memkb));
            }
        };
        meanwhile(look, call)
    }

    /// What is there of a domain that is being built.
    fn seen(&self, uuid: Uuid) -> Option<Seen> {
        let all: Vec<DomInfo> = parse(&self.libxl.domains().ok()?).ok()?;
        // The domain that had the UUID before can still be there.
        let info = all.iter().rfind(|info| info.uuid == uuid && !info.is_dying())?;
        let domid = info.domid;
        let started =
            self.libxl.read(&format!("/local/domain/{domid}/image/device-model-pid")).is_some();
        let state = || self.libxl.read(&format!("/local/domain/0/device-model/{domid}/state"));
        Some(Seen {
            memory_kib: info.current_memkb,
            device_model: started.then(|| state().unwrap_or_default()),
            backends: self.backends(domid),
        })
    }

    fn backends(&self, domid: u32) -> Vec<Backend> {
        let mut all = Vec::new();
        for class in ["vbd", "vif", "qdisk"] {
            let path = format!("/local/domain/0/backend/{class}/{domid}");
            for (number, _) in self.libxl.nodes(&path).unwrap_or_default() {
                let node = |key: &str| self.libxl.read(&format!("{path}/{number}/{key}"));
                all.push(Backend {
                    state: node("state").unwrap_or_default(),
                    hotplug: (class != "qdisk").then(|| node("hotplug-status").unwrap_or_default()),
                    name: format!("{class} {number}"),
                });
            }
        }
        all
    }
}

fn memory(kib: u64) -> String {
    format!("{kib} KiB of memory")
}

/// What XenStore and the hypervisor show of a domain.
#[derive(Debug)]
struct Seen {
    memory_kib: u64,
    /// The state of its device model, which is empty at first; `None` before there is one.
    device_model: Option<String>,
    backends: Vec<Backend>,
}

#[derive(Debug)]
struct Backend {
    name: String,
    /// The state of its end of the `XenBus`.
    state: String,
    /// What its hotplug script wrote; `None` if it has none.
    hotplug: Option<String>,
}

impl Backend {
    /// A backend waits for its frontend once it has what the host gives it.
    fn is_ready(&self) -> bool {
        self.hotplug.as_ref().is_none_or(|status| status == "connected")
            && self.state.parse().is_ok_and(|state: u8| state >= 2)
    }
}

impl Seen {
    fn stage(&self) -> (Stage, String) {
        if let Some(state) = self.device_model.as_ref().filter(|state| *state != "running") {
            let state = if state.is_empty() { "no state yet" } else { state };
            return (Stage::DeviceModel, format!("{state}, {}", memory(self.memory_kib)));
        }
        let waiting = self.backends.iter().filter(|backend| !backend.is_ready());
        let waiting: Vec<String> = waiting
            .map(|backend| {
                let hotplug = backend.hotplug.as_ref().filter(|status| *status != "connected");
                let script = if hotplug.is_some() { ", its script has not ended" } else { "" };
                format!("{} is in state {:?}{script}", backend.name, backend.state)
            })
            .collect();
        if waiting.is_empty() {
            (Stage::Memory, memory(self.memory_kib))
        } else {
            (Stage::Devices, waiting.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
    use std::net::{TcpListener, TcpStream};

    fn seen(
        device_model: Option<&str>,
        backends: &[(&str, &str, Option<&str>)],
    ) -> (Stage, String) {
        let backends = backends.iter().map(|(name, state, hotplug)| Backend {
            name: (*name).to_owned(),
            state: (*state).to_owned(),
            hotplug: hotplug.map(str::to_owned),
        });
        let device_model = device_model.map(str::to_owned);
        Seen { memory_kib: 8192, device_model, backends: backends.collect() }.stage()
    }

    #[test]
    fn the_stage_is_what_is_not_ready_yet() {
        let (stage, detail) = seen(None, &[]);
        assert_eq!((stage, detail.as_str()), (Stage::Memory, "8192 KiB of memory"));
        let (stage, detail) = seen(Some(""), &[("vbd 51712", "1", Some(""))]);
        assert_eq!(
            (stage, detail.as_str()),
            (Stage::DeviceModel, "no state yet, 8192 KiB of memory")
        );
        let (stage, detail) =
            seen(Some("running"), &[("vbd 51712", "2", Some("")), ("vif 0", "1", None)]);
        assert_eq!(stage, Stage::Devices);
        let text = "vbd 51712 is in state \"2\", its script has not ended; vif 0 is in state \"1\"";
        assert_eq!(detail, text);
        let ready = [("vbd 51712", "2", Some("connected")), ("qdisk 51728", "4", None)];
        assert_eq!(seen(None, &ready).0, Stage::Memory);
    }

    #[test]
    fn bytes_are_counted_as_a_file_is_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 100]).unwrap();
        file.seek(SeekFrom::Start(36)).unwrap();
        let fd = OwnedFd::from(file.try_clone().unwrap());
        let transfer = Transfer::default();
        while_moving(&transfer, || position(&fd), || wait_for(&transfer, &mut file, 32));
        assert_eq!(transfer.progress("").done, 32);
    }

    #[test]
    fn bytes_are_counted_as_a_socket_receives_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (receiver, _) = listener.accept().unwrap();
        let fd = OwnedFd::from(receiver);
        let mut reader = File::from(fd.try_clone().unwrap());
        let transfer = Transfer::default();
        sender.write_all(&[1; 10]).unwrap();
        reader.read_exact(&mut [0; 10]).unwrap();
        let call = || {
            sender.write_all(&[1; 32]).unwrap();
            wait_for(&transfer, &mut reader, 32);
        };
        while_moving(&transfer, || position(&fd), call);
        assert_eq!(transfer.progress("").done, 32);
    }

    fn wait_for(transfer: &Transfer, from: &mut File, bytes: usize) {
        from.read_exact(&mut vec![0; bytes]).unwrap();
        while transfer.progress("").done == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
