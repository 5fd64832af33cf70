//! The clock of this machine beside those of others, and times as certificates and HTTP write them.

use super::super::report::{Finding, Report};

/// How far a provider's clock is before this machine's, in seconds, by the head of an answer, which has whole ones.
pub(in crate::doctor) type Skew = i64;

/// By the `Date` of an answer (RFC 9110 §6.6.1) that came at `now`, in Unix seconds.
pub(in crate::doctor) fn skew(date: &str, now: u64) -> Option<Skew> {
    Some(http_date(date)? - i64::try_from(now).ok()?)
}

/// Where most of those who were asked say so, this machine is wrong, and not they.
pub(in crate::doctor) fn compare(report: &mut Report, mut skews: Vec<Skew>) {
    skews.sort_unstable();
    let Some(middle) = skews.get(skews.len() / 2).copied() else {
        return report.add(Finding::note("clock", "nobody who was asked says what time it is"));
    };
    let seconds = middle.unsigned_abs();
    if seconds <= TOLERATED {
        return report.add(Finding::well("clock", format!("agrees with the services' to {TOLERATED} seconds")));
    }
    let which = if middle > 0 { "behind" } else { "ahead of" };
    report.add(Finding::wrong(
        "clock",
        format!("is {seconds} seconds {which} the services', so that signatures and tokens are taken for old or for not yet good; let this machine's clock be set (NTP)"),
    ));
}

/// When a certificate begins and ends to be good (RFC 5280 §4.1.2.5), in Unix seconds.
pub(super) fn of_certificate(der: &[u8]) -> Option<(i64, i64)> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (begins, after) = time(validity)?;
    Some((begins, time(after)?.0))
}

/// What is in the first element, and what comes after it (X.690 §8.1).
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = der else { return None };
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    if let Some((text, rest)) = element(der, UTC_TIME) {
        let digits = digits(text, 12)?;
        let year = number(digits, 0, 2)?;
        let year = if year < 50 { 2000 + year } else { 1900 + year };
        return Some((moment(year, digits.get(2..)?)?, rest));
    }
    let (text, rest) = element(der, GENERALIZED_TIME)?;
    let digits = digits(text, 14)?;
    Some((moment(number(digits, 0, 4)?, digits.get(4..)?)?, rest))
}

fn digits(text: &[u8], count: usize) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn number(digits: &str, from: usize, to: usize) -> Option<i64> {
    digits.get(from..to)?.parse().ok()
}

/// `rest` is month, day, hour, minute and second, two digits each.
fn moment(year: i64, rest: &str) -> Option<i64> {
    let part = |at: usize| number(rest, at * 2, at * 2 + 2);
    Some(seconds(year, part(0)?, part(1)?) + part(2)? * 3600 + part(3)? * 60 + part(4)?)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<i64> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year = words.next()?.parse().ok()?;
    let mut time = words.next()?.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    Some(seconds(year, i64::try_from(month).ok()? + 1, day) + hour * 3600 + minute * 60 + second)
}

/// The beginning of a day, in Unix seconds; years begin in March here, so that the day which comes and goes is their last.
fn seconds(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    days * 24 * 60 * 60
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// In seconds.
const TOLERATED: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_of_http() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("", None),
            ("Sun, 06 Nov 1994", None),
        ] {
            assert_eq!(http_date(text), seconds, "{text}");
        }
        assert_eq!(skew("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_700), Some(77));
    }

    #[test]
    fn the_times_of_certificates() {
        let wrapped = |tag: u8, inner: &[u8]| {
            let mut der = vec![tag, 0x81, u8::try_from(inner.len()).expect("short")];
            der.extend_from_slice(inner);
            der
        };
        let validity =
            [&wrapped(UTC_TIME, b"240229235959Z")[..], &wrapped(GENERALIZED_TIME, b"20500101000000Z")].concat();
        let parts = [
            wrapped(VERSION, &[2, 1, 2]),
            wrapped(INTEGER, &[1]),
            wrapped(SEQUENCE, &[]),
            wrapped(SEQUENCE, &[]),
            wrapped(SEQUENCE, &validity),
        ];
        let certificate = wrapped(SEQUENCE, &wrapped(SEQUENCE, &parts.concat()));
        assert_eq!(of_certificate(&certificate), Some((1_709_251_199, 2_524_608_000)));
        for end in 0..certificate.len() {
            assert_eq!(of_certificate(certificate.get(..end).expect("shorter")), None, "{end}");
        }
    }
}
