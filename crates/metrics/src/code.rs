/// How many values the label `code` can have.
pub(crate) const CODES: usize = KNOWN.len() + CLASSES.len();

/// Which of them a status has: its own where it is one that is met, its class otherwise.
pub(crate) fn index(status: u16) -> usize {
    TABLE.get(usize::from(status)).map_or(CODES - 1, |index| usize::from(*index))
}

/// How it is written.
pub(crate) fn name(index: usize) -> String {
    match KNOWN.get(index) {
        Some(status) => status.to_string(),
        None => CLASSES.get(index.saturating_sub(KNOWN.len())).copied().unwrap_or("other").to_owned(),
    }
}

const KNOWN: [u16; 42] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411,
    412, 413, 414, 415, 416, 417, 421, 422, 423, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504,
];
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// For every status below 600, its index.
const TABLE: [u8; 600] = table();

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "made by the compiler, which checks both"
)]
const fn table() -> [u8; 600] {
    let mut table = [0; 600];
    let mut status = 0;
    while status < table.len() {
        let class = if status < 100 { CLASSES.len() - 1 } else { status / 100 - 1 };
        table[status] = (KNOWN.len() + class) as u8;
        status += 1;
    }
    let mut index = 0;
    while index < KNOWN.len() {
        table[KNOWN[index] as usize] = index as u8;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_of_a_closed_list() {
        for (status, code) in [
            (200, "200"),
            (504, "504"),
            (226, "2xx"),
            (499, "4xx"),
            (599, "5xx"),
            (103, "1xx"),
            (999, "other"),
            (0, "other"),
        ] {
            assert_eq!(name(index(status)), code, "{status}");
        }
        assert!((0..=u16::MAX).all(|status| index(status) < CODES));
    }
}
