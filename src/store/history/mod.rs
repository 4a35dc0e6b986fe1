//! What domains and the host used, in files of a fixed size.
//!
//! A file `UUID.history`, or `host.history`, has a ring for each span ([`Span`]): the last hour by
//! minutes, the last day by quarters of an hour, the last week by two hours, the last month by six
//! hours. A step has the mean and the maximum of each resource ([`Resource`]).
//!
//! Once a minute a row of 64 bytes is written for each domain on the host, and a further row when a
//! longer step is over: 1.08 rows a minute on average. Nothing is forced to the disk. A file takes
//! 24 KiB, six blocks of a file system, and a domain less than 100 bytes of memory. On a host with
//! 1,000 domains that is 24 MB, and 1,078 writes a minute, which the kernel collects to about 1,000
//! blocks, 4 MB.
//!
//! Each row has its number and a checksum. A row that was torn, or got lost when the machine
//! crashed, is one of which nothing is known; no other depends on it. A file whose beginning or
//! size is wrong is set aside, and another one is begun.
//!
//! [`Span`]: crate::core::model::Span
//! [`Resource`]: crate::core::model::Resource

mod files;
mod port;
mod rings;
mod row;

pub(super) use files::HistoryFiles;

#[cfg(test)]
mod tests;
