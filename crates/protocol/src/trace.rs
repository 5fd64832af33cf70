//! W3C Trace Context: which trace a piece of work belongs to, as `traceparent` says it, and what its writers add in `tracestate`.
//!
//! Strangers write both. What is not exactly as the recommendation has it is not there.

use std::fmt;

/// Names a trace: sixteen bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// Names a step of a trace: eight bytes, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

/// Whether whoever began the trace writes its steps down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// They are written down.
    Recorded,
    /// They are not.
    Dropped,
}

/// One step of one trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: TraceId,
    span: SpanId,
    sampling: Sampling,
}

impl TraceId {
    /// None for zeros.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// As it is sent in binary forms.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl SpanId {
    /// None for zeros.
    #[must_use]
    pub fn new(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// As it is sent in binary forms.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl TraceContext {
    /// This step of this trace.
    #[must_use]
    pub fn new(trace: TraceId, span: SpanId, sampling: Sampling) -> Self {
        Self { trace, span, sampling }
    }

    /// Reads a `traceparent`. A version to come is read as far as this one goes, as the recommendation asks (§3.2.4).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let known: &[u8; LENGTH] = known.try_into().ok()?;
        let [version] = digits(known.get(..2)?)?;
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let dashes = [2, 35, 52].iter().all(|place| known.get(*place) == Some(&b'-'));
        if !fits || !dashes {
            return None;
        }
        let trace = TraceId::new(digits(known.get(3..35)?)?)?;
        let span = SpanId::new(digits(known.get(36..52)?)?)?;
        let [flags] = digits(known.get(53..)?)?;
        let sampling = if flags & SAMPLED == 0 { Sampling::Dropped } else { Sampling::Recorded };
        Some(Self { trace, span, sampling })
    }

    /// Another step of the same trace.
    #[must_use]
    pub fn step(&self, span: SpanId) -> Self {
        Self { span, ..*self }
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// The step.
    #[must_use]
    pub fn span(&self) -> SpanId {
        self.span
    }

    /// Whether its steps are written down.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }
}

/// As a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampling == Sampling::Recorded { SAMPLED } else { 0 };
        write!(f, "00-{}-{}-{flags:02x}", self.trace, self.span)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a `tracestate` may go on as it is: at most 512 bytes and 32 members, each a key and a value of the recommendation's form
/// (§3.3.1), no key twice. One that may not is dropped whole, as §3.3.1.5 allows.
#[must_use]
pub fn is_trace_state(text: &[u8]) -> bool {
    if text.len() > LONGEST_STATE {
        return false;
    }
    let mut keys: Vec<&[u8]> = Vec::new();
    for member in text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
        let mut parts = member.splitn(2, |byte| *byte == b'=');
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else { return false };
        if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MOST_MEMBERS {
            return false;
        }
        keys.push(key);
    }
    !keys.is_empty()
}

fn is_key(key: &[u8]) -> bool {
    let part = |part: &[u8], most: usize| {
        let rest = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(byte);
        (1..=most).contains(&part.len()) && part.iter().all(rest)
    };
    let letter = |part: &[u8]| part.first().is_some_and(u8::is_ascii_lowercase);
    let letter_or_digit =
        |part: &[u8]| part.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let mut parts = key.splitn(2, |byte| *byte == b'@');
    match (parts.next(), parts.next()) {
        (Some(simple), None) => part(simple, 256) && letter(simple),
        (Some(tenant), Some(system)) => {
            part(tenant, 241) && letter_or_digit(tenant) && part(system, 14) && letter(system)
        }
        (None, _) => false,
    }
}

fn is_value(value: &[u8]) -> bool {
    let fits = |byte: &u8| (0x20..=0x7e).contains(byte) && *byte != b',' && *byte != b'=';
    (1..=256).contains(&value.len()) && value.iter().all(fits) && value.last() != Some(&b' ')
}

/// Lower-case hexadecimal digits, two for each byte.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Of version 00, in bytes.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read() {
        let context = TraceContext::parse(GOOD.as_bytes()).expect("the recommendation's own example");
        assert_eq!(context.trace().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span().to_string(), "b7ad6b7169203331");
        assert_eq!(context.sampling(), Sampling::Recorded);
        assert_eq!(context.to_string(), GOOD);
        let dropped = TraceContext::parse(GOOD.replace("-01", "-fe").as_bytes()).expect("flags of tomorrow");
        assert_eq!(dropped.sampling(), Sampling::Dropped);
        assert_eq!(dropped.to_string(), GOOD.replace("-01", "-00"), "flags that nobody knows do not go on");
    }

    #[test]
    fn a_version_to_come_is_read_as_far_as_this_one_goes() {
        for text in [GOOD.replacen("00", "01", 1), GOOD.replacen("00", "fe", 1) + "-what-may-come"] {
            assert!(TraceContext::parse(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_not_exactly_one_is_none() {
        for text in [
            String::new(),
            GOOD.replacen("00", "ff", 1),
            GOOD.replacen("00", "0", 1),
            GOOD.to_uppercase(),
            format!("{GOOD}-00"),
            format!("{GOOD}0"),
            format!(" {GOOD}"),
            format!("{GOOD} "),
            GOOD.replacen("00", "01", 1) + "0",
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            GOOD.replace("0af7", "0ag7"),
            GOOD.replace("-b7ad", "_b7ad"),
            GOOD.replace("-01", "-0x"),
            GOOD[..54].to_owned(),
        ] {
            assert_eq!(TraceContext::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_tracestate_has_its_form_and_its_bounds() {
        let members = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
        for good in
            ["rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=1", "a=b , c=d", "1t@sys=x", "a=b,,c=d", &members(32)]
        {
            assert!(is_trace_state(good.as_bytes()), "{good}");
        }
        let long = format!("a={}", "x".repeat(257));
        let longer = ["a", "b"].map(|key| format!("{key}={}", "x".repeat(256))).join(",");
        for bad in [
            "",
            ",",
            "a",
            "a=",
            "=b",
            "A=b",
            "a=b=c",
            "a=b,a=c",
            "1=x",
            "a=\u{e9}",
            "a=\tb",
            &long,
            &longer,
            &members(33),
        ] {
            assert!(!is_trace_state(bad.as_bytes()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(text in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(context) = TraceContext::parse(&text) {
                prop_assert_eq!(TraceContext::parse(context.to_string().as_bytes()), Some(context));
            }
            let _ = is_trace_state(&text);
        }

        #[test]
        fn what_is_written_is_read_again(trace: [u8; 16], span: [u8; 8], sampled: bool) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let sampling = if sampled { Sampling::Recorded } else { Sampling::Dropped };
            let context = TraceContext::new(TraceId(trace), SpanId(span), sampling);
            prop_assert_eq!(TraceContext::parse(context.to_string().as_bytes()), Some(context));
        }

        #[test]
        fn one_byte_makes_it_another_or_none(place in 0..55usize, byte: u8) {
            let mut text = GOOD.as_bytes().to_vec();
            text[place] = byte;
            if let Some(context) = TraceContext::parse(&text) {
                let same = context == TraceContext::parse(GOOD.as_bytes()).expect("good");
                prop_assert!(!same || text == GOOD.as_bytes() || !(2..=52).contains(&place));
            }
        }
    }
}
