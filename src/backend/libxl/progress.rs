//! The progress of a call of libxl, observed from outside: the bytes that it moves, the domain's
//! memory, and its device model and backends in XenStore.

use super::ffi::Libxl;
use super::host::XenHost;
use crate::core::model::{DomId, Uuid};
use crate::core::transfer::{Stage, Transfer};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The interval at which bytes are counted.
const BYTES_INTERVAL: Duration = Duration::from_millis(250);

/// The interval at which XenStore is read.
const XENSTORE_INTERVAL: Duration = Duration::from_secs(1);

/// Makes a call, and calls `observe` at each [`BYTES_INTERVAL`] until it returns.
fn observe_during<T>(mut observe: impl FnMut() + Send, call: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (done, wait) = mpsc::channel::<()>();
        scope.spawn(move || {
            while wait.recv_timeout(BYTES_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                observe();
            }
        });
        let outcome = call();
        drop(done);
        outcome
    })
}

/// Makes a call that moves `position`, and counts the bytes.
pub(super) fn count_bytes_during<T>(
    transfer: &Transfer,
    position: impl Fn() -> Option<u64> + Send,
    call: impl FnOnce() -> T,
) -> T {
    let mut last = position().unwrap_or(0);
    let count = move || {
        if let Some(now) = position() {
            transfer.advance(now.saturating_sub(last));
            last = now;
        }
    };
    observe_during(count, call)
}

/// The number of bytes of a stream that have been read: the offset of a file, which libxl's helper
/// process shares, or the number of bytes that a socket has received.
fn position(stream: &OwnedFd) -> Option<u64> {
    rustix::fs::tell(stream).ok().or_else(|| Libxl::bytes_received(stream.as_fd()))
}

impl XenHost {
    /// Makes a call that builds a domain, and reports its progress. `stream` is the stream of a
    /// domain that is restored.
    pub(super) fn while_building<T>(
        &self,
        uuid: Uuid,
        stream: Option<&OwnedFd>,
        transfer: &Transfer,
        call: impl FnOnce() -> T,
    ) -> T {
        let mut read_at = Instant::now();
        let mut last = stream.and_then(position).unwrap_or(0);
        let observe = move || {
            if let Some(now) = stream.and_then(position) {
                transfer.advance(now.saturating_sub(last));
                last = now;
            }
            if read_at.elapsed() >= XENSTORE_INTERVAL {
                read_at = Instant::now();
                if let Some(progress) = self.build_progress(uuid) {
                    let (stage, detail) = progress.stage();
                    transfer.observe(stage, detail);
                }
            }
        };
        observe_during(observe, call)
    }

    /// Makes a call that destroys a domain, and reports how its memory is freed.
    pub(super) fn while_freeing<T>(
        &self,
        domid: u32,
        transfer: &Transfer,
        call: impl FnOnce() -> T,
    ) -> T {
        let observe = || {
            // Nobody waits for a cancelled call any more.
            if transfer.is_cancelled() {
                return;
            }
            if let Ok(Some(info)) = self.dominfo(domid) {
                transfer.observe(Stage::Freeing, memory(info.current_memkb));
            }
        };
        observe_during(observe, call)
    }

    /// The progress of a domain that is being built; `None` if it does not exist yet.
    fn build_progress(&self, uuid: Uuid) -> Option<BuildProgress> {
        let domains = self.dominfos().ok()?;
        // The domain that had the UUID before can still exist.
        let info = domains.iter().rfind(|info| info.uuid == uuid && !info.is_dying())?;
        let domid = DomId(info.domid);
        let device_model = self.xenstore.text(domid, "image/device-model-pid").map(|_| {
            let state = format!("device-model/{domid}/state");
            self.xenstore.text(DomId::ZERO, &state).unwrap_or_default()
        });
        Some(BuildProgress {
            memory_kib: info.current_memkb,
            device_model,
            backends: self.backends(domid),
        })
    }

    fn backends(&self, domid: DomId) -> Vec<BackendState> {
        let mut backends = Vec::new();
        for class in ["vbd", "vif", "qdisk"] {
            let path = format!("backend/{class}/{domid}");
            for (number, _) in self.xenstore.children(DomId::ZERO, &path).unwrap_or_default() {
                let node =
                    |key: &str| self.xenstore.text(DomId::ZERO, &format!("{path}/{number}/{key}"));
                backends.push(BackendState {
                    state: node("state").unwrap_or_default(),
                    hotplug: (class != "qdisk").then(|| node("hotplug-status").unwrap_or_default()),
                    name: format!("{class} {number}"),
                });
            }
        }
        backends
    }
}

fn memory(kib: u64) -> String {
    format!("{kib} KiB of memory")
}

/// The state of a domain that is being built.
#[derive(Debug)]
struct BuildProgress {
    memory_kib: u64,
    /// The state of the device model, which is empty at first; `None` before it is started, or if
    /// the domain needs none.
    device_model: Option<String>,
    backends: Vec<BackendState>,
}

/// The state of a device's backend.
#[derive(Debug)]
struct BackendState {
    name: String,
    /// The backend's `XenbusState`.
    state: String,
    /// The node that the hotplug script writes; `None` if the backend has no script.
    hotplug: Option<String>,
}

impl BackendState {
    /// Whether the backend waits for its frontend (`XenbusStateInitWait` is 2).
    fn is_ready(&self) -> bool {
        self.hotplug.as_ref().is_none_or(|status| status == "connected")
            && self.state.parse().is_ok_and(|state: u8| state >= 2)
    }
}

impl BuildProgress {
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

    fn stage_of(
        device_model: Option<&str>,
        backends: &[(&str, &str, Option<&str>)],
    ) -> (Stage, String) {
        let backends = backends.iter().map(|(name, state, hotplug)| BackendState {
            name: (*name).to_owned(),
            state: (*state).to_owned(),
            hotplug: hotplug.map(str::to_owned),
        });
        let device_model = device_model.map(str::to_owned);
        BuildProgress { memory_kib: 8192, device_model, backends: backends.collect() }.stage()
    }

    #[test]
    fn the_stage_is_the_first_that_is_not_complete() {
        let (stage, detail) = stage_of(None, &[]);
        assert_eq!((stage, detail.as_str()), (Stage::Memory, "8192 KiB of memory"));
        let (stage, detail) = stage_of(Some(""), &[("vbd 51712", "1", Some(""))]);
        assert_eq!(
            (stage, detail.as_str()),
            (Stage::DeviceModel, "no state yet, 8192 KiB of memory")
        );
        let (stage, detail) =
            stage_of(Some("running"), &[("vbd 51712", "2", Some("")), ("vif 0", "1", None)]);
        assert_eq!(stage, Stage::Devices);
        let text = "vbd 51712 is in state \"2\", its script has not ended; vif 0 is in state \"1\"";
        assert_eq!(detail, text);
        let ready = [("vbd 51712", "2", Some("connected")), ("qdisk 51728", "4", None)];
        assert_eq!(stage_of(None, &ready).0, Stage::Memory);
    }

    #[test]
    fn bytes_are_counted_as_a_file_is_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 100]).unwrap();
        file.seek(SeekFrom::Start(36)).unwrap();
        let fd = OwnedFd::from(file.try_clone().unwrap());
        let transfer = Transfer::default();
        count_bytes_during(&transfer, || position(&fd), || wait_for(&transfer, &mut file, 32));
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
        count_bytes_during(&transfer, || position(&fd), call);
        assert_eq!(transfer.progress("").done, 32);
    }

    fn wait_for(transfer: &Transfer, from: &mut File, bytes: usize) {
        from.read_exact(&mut vec![0; bytes]).unwrap();
        while transfer.progress("").done == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
