//! The places of a listener, as many as the open files allow.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files for everything but the clients of listeners and domains that arrive: the store and
/// the log, libxl with its event channels and the consoles of guests, domains that are sent (a
/// connection, its copy and a pipe each), name lookups, and programs that the daemon starts.
const RESERVED: usize = 384;

/// The most connections of a listener that are not admitted yet.
const MAX_PENDING: usize = 256;

/// The fewest, however few connections a listener has: a burst of clients has to pass.
const MIN_PENDING: usize = 64;

/// Open files that a daemon cannot do without, beside those of its listeners and their clients: for
/// the directories of its state, the hypervisor, a change and a name lookup.
const FEWEST_OTHERS: usize = 32;

/// What the open files of a daemon are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// Those for the clients of all listeners.
    pub clients: usize,
    /// Those for domains that arrive, over all relocation ports.
    pub relocation: usize,
}

impl OpenFiles {
    /// Divides the files of a process that may open `limit`; `None` is no limit. The relocation
    /// ports need `relocation`, also while they are off: a reload can open them.
    pub fn of(limit: Option<u64>, relocation: usize) -> Self {
        let Some(files) = limit.and_then(|files| usize::try_from(files).ok()) else {
            return Self { clients: usize::MAX, relocation };
        };
        // With very few files, half of them are reserved.
        let rest = files - RESERVED.min(files / 2);
        let relocation = relocation.min(rest / 4);
        Self { clients: rest - relocation, relocation }
    }
}

/// The fewest files that a daemon has to be allowed to open which has `open` files now, its
/// listeners included: each listener and each relocation port serves one client while another one
/// waits.
pub fn fewest_files(open: usize, listeners: usize, relocation_ports: usize) -> usize {
    const CLIENTS: usize = 2;
    open + CLIENTS * listeners + (1 + CLIENTS) * relocation_ports + FEWEST_OTHERS
}

/// How many files this process has open; 0 where the kernel does not tell.
pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The places of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Connections that are served.
    pub connections: usize,
    /// Connections that are not admitted yet.
    pub pending: usize,
}

impl Places {
    /// Places for so many connections.
    pub fn for_connections(connections: usize) -> Self {
        Self { connections, pending: connections.clamp(MIN_PENDING, MAX_PENDING) }
    }

    /// What is left of the places if each of `listeners` listeners has as many, and their clients
    /// may have `files` open files.
    #[must_use]
    pub fn within(self, files: usize, listeners: usize) -> Self {
        let for_each = files / listeners.max(1);
        if self.connections.saturating_add(self.pending) <= for_each {
            return self;
        }
        let pending = self.pending.min(for_each / 3).max(1);
        let connections = self.connections.min(for_each.saturating_sub(pending)).max(1);
        Self { connections, pending }
    }
}

/// Raises the limit of open files to the hard limit, and returns it; `None` is no limit. Each
/// connection needs a file, and the usual soft limit is for programs that use `select`.
pub fn raise_file_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!("Cannot raise the limit of open files: {error}");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_shrink_to_the_open_files() {
        let places = Places::for_connections(512);
        assert_eq!(places, Places { connections: 512, pending: 256 });
        assert_eq!(places.within(OpenFiles::of(None, 512).clients, 4), places);
        assert_eq!(places.within(OpenFiles::of(Some(1 << 20), 512).clients, 4), places);
        for files in [8, 16, 64, 128, 256, 1024, 3000] {
            let OpenFiles { clients, relocation } = OpenFiles::of(Some(files), 512);
            let files = usize::try_from(files).unwrap();
            assert!(clients + relocation <= files - RESERVED.min(files / 2));
            for listeners in [1, 4, 6] {
                let Places { connections, pending } = places.within(clients, listeners);
                assert!(connections >= 1 && pending >= 1);
                let all = listeners * (connections + pending);
                assert!(all <= clients || connections + pending == 2);
            }
        }
        let few = OpenFiles::of(Some(1024), 512);
        assert_eq!(few, OpenFiles { clients: 480, relocation: 160 });
        assert_eq!(places.within(few.clients, 4), Places { connections: 80, pending: 40 });
    }

    #[test]
    fn each_listener_has_two_clients_within_the_fewest_files() {
        for listeners in [1, 4, 12] {
            let fewest = fewest_files(10 + listeners, listeners, 2);
            assert_eq!(fewest, 10 + listeners + 2 * listeners + 6 + FEWEST_OTHERS);
            let files = OpenFiles::of(Some(fewest as u64), 512);
            let Places { connections, pending } =
                Places::for_connections(512).within(files.clients, listeners);
            assert!(10 + listeners * (1 + connections + pending) <= fewest);
        }
    }

    #[test]
    fn a_listener_with_few_connections_still_admits_bursts() {
        assert_eq!(Places::for_connections(2), Places { connections: 2, pending: 64 });
        assert_eq!(Places::for_connections(100_000), Places { connections: 100_000, pending: 256 });
    }
}
