//! A map in the order of Python 2's dictionaries.

/// A map from strings. Its order is that in which Python 2 goes through a dictionary with the same
/// history on a 64-bit machine: xm printed the keys of devices in this order.
pub(super) struct PythonDict<V> {
    slots: Vec<Slot<V>>,
    /// Slots that have an entry.
    used: usize,
    /// Slots that are not free.
    filled: usize,
}

enum Slot<V> {
    Free,
    Removed,
    Taken(Vec<u8>, V),
}

/// The number of slots of an empty dictionary.
const LEAST: usize = 8;

/// Sizes from which on a dictionary grows by two and no longer by four.
const LARGE: usize = 50_000;

impl<V> PythonDict<V> {
    pub(super) fn new() -> Self {
        Self { slots: free(LEAST), used: 0, filled: 0 }
    }

    /// Sets the value of a key.
    pub(super) fn insert(&mut self, key: &[u8], value: V) {
        let at = self.slot_of(key);
        let Some(slot) = self.slots.get_mut(at) else { return };
        let is_new = match slot {
            Slot::Taken(_, old) => {
                *old = value;
                return;
            }
            Slot::Removed => false,
            Slot::Free => true,
        };
        *slot = Slot::Taken(key.to_vec(), value);
        self.used += 1;
        self.filled += usize::from(is_new);
        if self.filled * 3 >= self.slots.len() * 2 {
            self.resize();
        }
    }

    /// Removes a key, and returns its value.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let at = self.slot_of(key);
        let slot = self.slots.get_mut(at).filter(|slot| matches!(slot, Slot::Taken(..)))?;
        let Slot::Taken(_, value) = std::mem::replace(slot, Slot::Removed) else { return None };
        self.used -= 1;
        Some(value)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        match self.slots.get(self.slot_of(key)) {
            Some(Slot::Taken(_, value)) => Some(value),
            _ => None,
        }
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Keys and values in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Taken(key, value) => Some((key.as_slice(), value)),
            Slot::Free | Slot::Removed => None,
        })
    }

    /// The index of the slot that has this key or would get it. There is always a free one.
    fn slot_of(&self, key: &[u8]) -> usize {
        let hash = hash(key);
        let mask = self.slots.len() - 1;
        let mut at = index(hash) & mask;
        let mut perturbation = hash;
        let mut removed = None;
        loop {
            match self.slots.get(at & mask) {
                Some(Slot::Taken(other, _)) if other == key => return at & mask,
                Some(Slot::Taken(..)) => {}
                Some(Slot::Removed) => removed = removed.or(Some(at & mask)),
                Some(Slot::Free) | None => return removed.unwrap_or(at & mask),
            }
            at = at.wrapping_mul(5).wrapping_add(index(perturbation)).wrapping_add(1);
            perturbation >>= 5;
        }
    }

    fn resize(&mut self) {
        let least = self.used * if self.used > LARGE { 2 } else { 4 };
        let mut size = LEAST;
        while size <= least {
            size *= 2;
        }
        let old = std::mem::replace(&mut self.slots, free(size));
        self.filled = self.used;
        for slot in old {
            if let Slot::Taken(key, value) = slot {
                let at = self.slot_of(&key);
                if let Some(slot) = self.slots.get_mut(at) {
                    *slot = Slot::Taken(key, value);
                }
            }
        }
    }
}

fn free<V>(size: usize) -> Vec<Slot<V>> {
    std::iter::repeat_with(|| Slot::Free).take(size).collect()
}

/// The low bits of a hash, which the mask cuts anyway.
#[expect(clippy::cast_possible_truncation, reason = "a mask keeps the lowest bits only")]
fn index(hash: u64) -> usize {
    hash as usize
}

/// Python 2's hash of a string.
fn hash(key: &[u8]) -> u64 {
    let Some(first) = key.first() else { return 0 };
    let start = u64::from(*first) << 7;
    let hash = key.iter().fold(start, |hash, byte| hash.wrapping_mul(1_000_003) ^ u64::from(*byte));
    hash ^ u64::try_from(key.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(keys: &str) -> String {
        let mut dict = PythonDict::new();
        keys.split(' ').for_each(|key| dict.insert(key.as_bytes(), ()));
        let keys = dict.iter().map(|(key, ())| String::from_utf8_lossy(key).into_owned());
        keys.collect::<Vec<_>>().join(" ")
    }

    /// Printed by Python 2.7.
    #[test]
    fn the_order_is_that_of_python_2() {
        for (keys, wanted) in [
            ("rate", "rate"),
            ("mac sdl", "sdl mac"),
            ("type ip sdl", "sdl ip type"),
            ("ebx 1 max_bypasses", "1 max_bypasses ebx"),
            ("rate vncpasswd accel type", "vncpasswd rate type accel"),
            ("mac rate ebx 0x80000001", "mac 0x80000001 ebx rate"),
            ("1 vifname policy keymap pdev", "1 policy keymap vifname pdev"),
            ("0,1 eax ip xauthority front_mac", "front_mac eax xauthority 0,1 ip"),
            ("vnclisten type vncdisplay ip ebx", "ip ebx vnclisten type vncdisplay"),
            (
                "0,1 vncpasswd accel 0x80000001 vnclisten pdev",
                "0,1 vnclisten accel vncpasswd pdev 0x80000001",
            ),
            (
                "0x80000001 vnclisten vnc vncpasswd ebx script",
                "vnc script vnclisten vncpasswd 0x80000001 ebx",
            ),
            (
                "policy 1 bridge ebx display rate vncunused",
                "vncunused bridge 1 rate policy ebx display",
            ),
            (
                "vncdisplay policy ebx type label eax vncpasswd rate",
                "ebx vncdisplay label vncpasswd eax rate policy type",
            ),
            (
                "label back_mac accel vnclisten 1 ip bridge type xauthority vncunused",
                "vncunused bridge xauthority ip vnclisten back_mac accel 1 label type",
            ),
            (
                "rate policy type sdl bridge xauthority pdev 1 display back_mac backend vifname",
                "bridge xauthority back_mac 1 sdl rate vifname policy pdev type display backend",
            ),
            (
                "backend bridge ip mac script type vifname rate model accel policy label vnc sdl vncunused vncdisplay vnclisten vncpasswd display xauthority keymap opengl front_mac back_mac pdev max_bypasses 1 0x80000001 0,1 eax ebx ecx edx",
                "bridge 0,1 ip vnclisten front_mac rate edx 0x80000001 ebx backend vncunused 1 xauthority script label vncpasswd vifname policy type vnc vncdisplay accel eax mac sdl pdev ecx opengl back_mac max_bypasses keymap model display",
            ),
            (
                "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29",
                "24 25 26 27 20 21 22 23 28 29 1 0 3 2 5 4 7 6 9 8 11 10 13 12 15 14 17 16 19 18",
            ),
        ] {
            assert_eq!(order(keys), wanted, "{keys}");
        }
    }

    #[test]
    fn removed_keys_leave_their_slots() {
        let mut dict = PythonDict::new();
        dict.insert(b"type", 1);
        dict.insert(b"vnclisten", 2);
        dict.insert(b"vnc", 3);
        assert_eq!((dict.remove(b"type"), dict.remove(b"type")), (Some(1), None));
        assert_eq!((dict.get(b"type"), dict.get(b"vnc"), dict.len()), (None, Some(&3), 2));
        for n in 0..1000_u32 {
            dict.insert(n.to_string().as_bytes(), n);
            assert!(dict.filled < dict.slots.len());
        }
        assert_eq!((dict.len(), dict.get(b"999")), (1002, Some(&999)));
    }
}
