use std::sync::OnceLock;

use crate::cells::Row;

/// What one core counts, by the number of its upstream. Room is made for as many as come; what is there stays where it is, so that nobody
/// who reads has to wait for whoever makes it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    none: OnceLock<Box<Row>>,
    /// Each has room for twice as many as the one before.
    chunks: [OnceLock<Chunk>; CHUNKS],
}

type Chunk = Box<[OnceLock<Box<Row>>]>;

/// The number of an upstream among all that the process has ever had: what is counted for it goes on where its provider is configured anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upstream(pub(crate) u32);

impl Rows {
    /// To count in; that of no upstream for `None`.
    pub(crate) fn row(&self, upstream: Option<Upstream>) -> Option<&Row> {
        let Some(Upstream(number)) = upstream else { return Some(self.none.get_or_init(Box::default)) };
        let (chunk, size, within) = place(number);
        let chunk = self.chunks.get(chunk)?.get_or_init(|| (0..size).map(|_| OnceLock::new()).collect());
        Some(chunk.get(within)?.get_or_init(Box::default))
    }

    /// What was counted so far, where anything was.
    pub(crate) fn read(&self, upstream: Option<Upstream>) -> Option<&Row> {
        let Some(Upstream(number)) = upstream else { return self.none.get().map(Box::as_ref) };
        let (chunk, _, within) = place(number);
        self.chunks.get(chunk)?.get()?.get(within)?.get().map(Box::as_ref)
    }
}

/// The chunk, its size, and the place in it.
fn place(number: u32) -> (usize, usize, usize) {
    let shifted = number.saturating_add(FIRST);
    let chunk = shifted.ilog2() - FIRST.ilog2();
    let size = FIRST << chunk;
    (chunk as usize, size as usize, (shifted - size) as usize)
}

/// How many fit into the first chunk.
const FIRST: u32 = 16;
/// Enough for every number.
const CHUNKS: usize = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let places = [(0, (0, 16, 0)), (15, (0, 16, 15)), (16, (1, 32, 0)), (47, (1, 32, 31)), (48, (2, 64, 0))];
        for (number, expected) in places {
            assert_eq!(place(number), expected, "{number}");
        }
        let (chunk, size, within) = place(u32::MAX);
        assert!(chunk < CHUNKS && within < size);
    }

    #[test]
    fn what_was_counted_stays_where_it_is_while_others_come() {
        let rows = Rows::default();
        assert!(rows.read(Some(Upstream(3))).is_none() && rows.read(None).is_none());
        let first = rows.row(Some(Upstream(3))).expect("a row");
        first.sent.add(7);
        for number in 0..1000 {
            rows.row(Some(Upstream(number))).expect("a row").sent.add(1);
        }
        rows.row(None).expect("a row").sent.add(5);
        assert_eq!((first.sent.get(), rows.read(None).expect("counted").sent.get()), (8, 5));
        assert_eq!(rows.read(Some(Upstream(999))).expect("counted").sent.get(), 1);
    }
}
