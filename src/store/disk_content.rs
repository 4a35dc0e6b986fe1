//! What a disk holds, by its first sectors.

/// How much of a disk is looked at, in bytes: Btrfs has its mark the farthest in, at 64 KiB.
pub(super) const HEAD: usize = 68 << 10;

/// A mark at an offset, and the content that it stands for. The first that fits counts: formats
/// that keep clear of the first sectors, and of a table of partitions there, stand in front.
const MARKS: &[(usize, &[u8], &str)] = &[
    (0, b"conectix", "vhd"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"KDMV", "vmdk"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"XFSB", "xfs"),
    (0, b"hsqs", "squashfs"),
    (3, b"NTFS    ", "ntfs"),
    (3, b"EXFAT   ", "exfat"),
    (54, b"FAT", "vfat"),
    (82, b"FAT32", "vfat"),
    (32_769, b"CD001", "iso9660"),
    (32_768, b"JFS1", "jfs"),
    (65_600, b"_BHRfS_M", "btrfs"),
    (65_588, b"ReIsEr", "reiserfs"),
    (8_244, b"ReIsEr", "reiserfs"),
];

/// The marks of swap space, at the end of its first page.
const SWAP: [&[u8]; 2] = [b"SWAPSPACE2", b"SWAP-SPACE"];

/// The page sizes that swap space can have, in bytes.
const PAGES: [usize; 4] = [4 << 10, 8 << 10, 16 << 10, 64 << 10];

/// What a disk holds, by its first [`HEAD`] bytes; `None` if that is unknown.
pub(super) fn content_of(head: &[u8]) -> Option<&'static str> {
    let has = |at: usize, mark: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(mark));
    if has(0, b"QFI\xfb") {
        return Some(if be32(head, 4) == Some(1) { "qcow" } else { "qcow2" });
    }
    if let Some((.., content)) = MARKS.iter().find(|(at, mark, _)| has(*at, mark)) {
        return Some(content);
    }
    if let Some(version) = ext_version(head) {
        return Some(version);
    }
    if PAGES.iter().any(|page| SWAP.iter().any(|mark| has(page - mark.len(), mark))) {
        return Some("swap");
    }
    // The label of a physical volume is in one of the first four sectors.
    if (0..4).any(|sector| has(sector * 512, b"LABELONE") && has(sector * 512 + 24, b"LVM2 001")) {
        return Some("lvm");
    }
    // GPT's header is in the second sector, of 512 or 4,096 bytes.
    if has(512, b"EFI PART") || has(4096, b"EFI PART") || has_partitions(head) {
        return Some("partitions");
    }
    (!head.is_empty() && head.iter().all(|byte| *byte == 0)).then_some("empty")
}

/// The version of an ext file system, by its superblock at 1,024 and the features that each
/// version has.
fn ext_version(head: &[u8]) -> Option<&'static str> {
    const SUPERBLOCK: usize = 1024;
    const HAS_JOURNAL: u32 = 0x4;
    /// Features that ext3 has as well: file types, recovery, meta block groups.
    const INCOMPATIBLE_OF_EXT3: u32 = 0x2 | 0x4 | 0x10;
    /// Sparse superblocks, large files, B-tree directories.
    const READ_ONLY_OF_EXT3: u32 = 0x1 | 0x2 | 0x4;
    if head.get(SUPERBLOCK + 56..SUPERBLOCK + 58)? != [0x53, 0xef] {
        return None;
    }
    let features = |at: usize| le32(head, SUPERBLOCK + at);
    let compatible = features(92)?;
    let is_ext4 =
        features(96)? & !INCOMPATIBLE_OF_EXT3 != 0 || features(100)? & !READ_ONLY_OF_EXT3 != 0;
    Some(match compatible & HAS_JOURNAL {
        _ if is_ext4 => "ext4",
        0 => "ext2",
        _ => "ext3",
    })
}

/// Whether the first sector is a master boot record with a partition. The boot sector of a file
/// system has the same mark at its end.
fn has_partitions(head: &[u8]) -> bool {
    const TABLE: usize = 446;
    const ENTRY: usize = 16;
    let Some(table) = head.get(TABLE..TABLE + 4 * ENTRY) else { return false };
    let mut entries = table.chunks_exact(ENTRY);
    let is_valid = |entry: &[u8]| matches!(entry.first(), Some(0 | 0x80));
    let is_used = |entry: &[u8]| {
        entry.get(4).is_some_and(|kind| *kind != 0)
            && le32(entry, 12).is_some_and(|sectors| sectors > 0)
    };
    head.get(510..512) == Some(&[0x55, 0xaa])
        && entries.clone().all(is_valid)
        && entries.any(is_used)
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes and their place.
    type Part<'a> = (usize, &'a [u8]);

    /// A disk with some bytes that are not 0.
    fn disk(parts: &[Part<'_>]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        for (at, bytes) in parts {
            head[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    #[test]
    fn each_mark_is_known() {
        for (at, mark, content) in MARKS {
            assert_eq!(content_of(&disk(&[(*at, mark)])), Some(*content), "{content}");
        }
        let cases: [(&[Part<'_>], &str); 8] = [
            (&[(0, b"QFI\xfb\x00\x00\x00\x01")], "qcow"),
            (&[(0, b"QFI\xfb\x00\x00\x00\x03")], "qcow2"),
            (&[(4086, b"SWAPSPACE2")], "swap"),
            (&[(65_526, b"SWAPSPACE2")], "swap"),
            (&[(512, b"LABELONE"), (536, b"LVM2 001")], "lvm"),
            (&[(512, b"EFI PART")], "partitions"),
            (&[(4096, b"EFI PART")], "partitions"),
            // A hybrid image of a CD has a table of partitions as well.
            (&[(32_769, b"CD001"), (450, b"\x17"), (458, b"\x01"), (510, b"\x55\xaa")], "iso9660"),
        ];
        for (parts, content) in cases {
            assert_eq!(content_of(&disk(parts)), Some(content));
        }
    }

    #[test]
    fn the_versions_of_ext_differ_by_their_features() {
        let ext = |compatible: u8, incompatible: u8, read_only: u8| {
            content_of(&disk(&[
                (1080, b"\x53\xef"),
                (1116, &[compatible]),
                (1120, &[incompatible]),
                (1124, &[read_only]),
            ]))
        };
        assert_eq!(ext(0x38, 0x2, 0x3), Some("ext2"));
        assert_eq!(ext(0x3c, 0x2, 0x3), Some("ext3"));
        assert_eq!(ext(0x3c, 0x6, 0x3), Some("ext3"));
        assert_eq!(ext(0x3c, 0x42, 0x3), Some("ext4"));
        assert_eq!(ext(0x38, 0x2, 0x7b), Some("ext4"));
    }

    #[test]
    fn a_table_needs_a_partition() {
        let with = |status: u8, kind: u8, sectors: u8| {
            content_of(&disk(&[
                (446, &[status]),
                (450, &[kind]),
                (458, &[sectors]),
                (510, b"\x55\xaa"),
            ]))
        };
        assert_eq!(with(0x80, 0x83, 9), Some("partitions"));
        assert_eq!(with(0x80, 0x83, 0), None);
        assert_eq!(with(0, 0, 9), None);
        assert_eq!(with(0x11, 0x83, 9), None);
    }

    #[test]
    fn short_and_strange_disks_are_unknown_or_empty() {
        assert_eq!(content_of(&[]), None);
        assert_eq!(content_of(&[0; 100]), Some("empty"));
        assert_eq!(content_of(b"hello"), None);
        for len in 0..2048 {
            content_of(&vec![0xff; len]);
            content_of(&disk(&[(1080, b"\x53\xef")])[..len]);
        }
    }
}
