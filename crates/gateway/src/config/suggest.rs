/// The one of `known` that `written` is most likely meant to be; `None` where none is near.
pub(super) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let tolerated = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many characters must be inserted, removed, replaced, or swapped with their neighbour to make one word of the other
/// (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (count, letter) in (1..).zip(one.chars()) {
        let mut next = vec![count];
        for (column, &against) in other.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, column) + usize::from(letter != against);
            let mut least = replaced.min(at(&row, column + 1) + 1).min(at(&next, column) + 1);
            let left = column.checked_sub(1);
            if let Some(left) = left.filter(|&left| previous == Some(against) && other.get(left) == Some(&letter)) {
                least = least.min(at(&above, left) + 1);
            }
            next.push(least);
        }
        previous = Some(letter);
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("listen", "listen", 0),
            ("listne", "listen", 1),
            ("lsiten", "listen", 1),
            ("lister", "listen", 1),
            ("lists", "listen", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["public_url", "listen", "workers", "tls"];
        for (written, meant) in [
            ("publik_url", Some("public_url")),
            ("publicurl", Some("public_url")),
            ("tsl", Some("tls")),
            ("worker", Some("workers")),
            ("bind", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
