//! The protocol of the OpenStack guest agent over XenStore, as both of its ends need it.
//!
//! The host writes a [`Request`](request::Request) to `data/host/ID` below a domain's directory in
//! XenStore. The agent inside the guest does what it asks, removes it, and writes a
//! [`Response`](response::Response) to `data/guest/ID`.
//!
//! | module | what |
//! |---|---|
//! | [`request`], [`response`] | the two JSON texts |
//! | [`command`] | names of commands, and the texts of their failures |
//! | [`keys`], [`password`] | the key exchange before a password, and the password itself |
//! | [`file`](mod@file), [`path`](mod@path) | a file for the guest, and where it may go |
//! | [`network`], [`hostname`] | what `resetnetwork` reads from `vm-data` |
//! | [`nodes`], [`limits`] | where all of it lies, and how large it may be |
//!
//! Nothing here does input or output, waits, or panics on any bytes.

pub mod command;
pub mod file;
pub mod hostname;
pub mod keys;
pub mod limits;
pub mod network;
pub mod nodes;
pub mod password;
pub mod path;
pub mod request;
pub mod response;

mod base64;
mod json;
mod mersenne;
