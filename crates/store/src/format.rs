use crate::StoreError;

/// In which form everything lies in the store: keys, envelopes, bodies, leases, messages. One number for all of it. It grows where a program
/// that does not know the change would take something for what it is not; a field more is no change of form
/// (docs/decisions/0031-two-versions-on-one-store.md).
const WRITES: u32 = 1;
/// The oldest that is still read.
const READS_FROM: u32 = 1;

/// What is to be done about the mark that lies in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It says what this program writes.
    Stands,
    /// There is none, since the store is new or older than marks are.
    Missing,
    /// It says something older, which this program reads, and will not be for long.
    Older,
}

/// The mark as it lies there.
pub(crate) fn mark() -> String {
    WRITES.to_string()
}

/// Refuses what this program does not read.
pub(crate) fn judge(found: Option<&[u8]>) -> Result<Mark, StoreError> {
    let Some(found) = found else { return Ok(Mark::Missing) };
    let written = std::str::from_utf8(found).ok().and_then(|text| text.parse::<u32>().ok());
    match written {
        Some(WRITES) => Ok(Mark::Stands),
        Some(written) if written > WRITES => Err(StoreError::Newer { written, reads: WRITES }),
        Some(written) if written >= READS_FROM => Ok(Mark::Older),
        Some(written) => Err(StoreError::Older { written, reads: READS_FROM }),
        None => Err(StoreError::NoMark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newer_or_no_mark_is_refused_with_a_sentence() {
        assert_eq!(mark(), "1");
        assert_eq!(judge(Some(b"1")).expect("this one"), Mark::Stands);
        assert_eq!(judge(None).expect("a new store"), Mark::Missing);
        let newer = judge(Some(b"2")).expect_err("is newer").to_string();
        assert_eq!(
            newer,
            "the store is in format 2, which a newer version wrote; this one reads formats up to 1: start the newer version again, or put back \
             the copy that was made before the upgrade (docs/upgrade.md)"
        );
        let older = judge(Some(b"0")).expect_err("is older").to_string();
        assert_eq!(
            older,
            "the store is in format 0, and this version reads formats from 1 on: start the version before this one first (docs/upgrade.md)"
        );
        for nonsense in [&b""[..], b"one", b"-1", b"\xff"] {
            assert!(matches!(judge(Some(nonsense)), Err(StoreError::NoMark)), "{nonsense:?}");
        }
    }
}
