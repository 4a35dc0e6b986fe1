//! The daemons that the measurements are run on.

use crate::raw::Raw;
use crate::xenstored::Xenstored;
use std::path::PathBuf;
use xend_xenstore::Client;

/// A daemon with guests.
pub(crate) trait Daemon {
    fn socket(&self) -> PathBuf;
    fn guest_socket(&self, domid: u32) -> PathBuf;
    fn introduce(&mut self, domid: u32);
    fn shut_down(&mut self, domid: u32);
    fn destroy(&mut self, domid: u32);

    fn host(&self) -> Client {
        Client::open_path(&self.socket()).unwrap()
    }

    fn guest(&self, domid: u32) -> Client {
        Client::open_path(&self.guest_socket(domid)).unwrap()
    }

    fn raw_host(&self) -> Raw {
        Raw::connect(&self.socket())
    }

    fn raw_guest(&self, domid: u32) -> Raw {
        Raw::connect(&self.guest_socket(domid))
    }
}

impl Daemon for Xenstored {
    fn socket(&self) -> PathBuf {
        self.socket()
    }

    fn guest_socket(&self, domid: u32) -> PathBuf {
        self.guest_socket(domid)
    }

    fn introduce(&mut self, domid: u32) {
        self.introduce(domid);
    }

    fn shut_down(&mut self, domid: u32) {
        Xenstored::shut_down(self, domid);
    }

    fn destroy(&mut self, domid: u32) {
        self.destroy(domid);
    }
}

/// Tests of these functions, on Debian's daemon and on ours.
macro_rules! on_each_daemon {
    ($($function:ident),* $(,)?) => {
        mod debians {
            $(#[test]
            fn $function() {
                if let Some(mut daemon) = crate::xenstored::Xenstored::start() {
                    super::$function(&mut daemon);
                }
            })*
        }

        mod in_memory {
            $(#[test]
            fn $function() {
                super::$function(&mut crate::in_memory::InMemory::start());
            })*
        }
    };
}
pub(crate) use on_each_daemon;
