use std::ops::RangeInclusive;

/// The part of a cluster's keys that a key belongs to: 0 to 16383.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u16);

impl Slot {
    /// By the hash tag, where the key has one.
    pub(super) fn of(key: &str) -> Self {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
        Self(crc16(hashed.as_bytes()) % SLOTS)
    }

    pub(super) fn is_in(self, range: &RangeInclusive<u16>) -> bool {
        range.contains(&self.0)
    }

    pub(super) fn number(self) -> u16 {
        self.0
    }

    /// A text whose slot this predicate accepts.
    pub(super) fn named(accepts: impl Fn(Slot) -> bool) -> Option<String> {
        (0..u32::from(SLOTS) * 16).map(|number| number.to_string()).find(|text| accepts(Self::of(text)))
    }
}

/// CRC-16/XMODEM, as Redis Cluster hashes keys.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 },
        )
    })
}

const SLOTS: u16 = 16384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_redis_own() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // As `CLUSTER KEYSLOT` answers.
        assert_eq!(Slot::of("somekey").number(), 11058);
        assert_eq!(Slot::of("foo{hash_tag}").number(), 2515);
        assert_eq!(Slot::of("ath:connection:{u_1}:a"), Slot::of("ath:lease:connection:{u_1}:a"));
        assert_eq!(Slot::of("{}a").number(), crc16(b"{}a") % SLOTS);
    }

    #[test]
    fn every_slot_has_a_name() {
        for wanted in [0, 1, 8191, 16383] {
            let name = Slot::named(|slot| slot.number() == wanted).expect("a name");
            assert_eq!(Slot::of(&name).number(), wanted);
        }
    }
}
