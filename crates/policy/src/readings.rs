//! How servers read a path, each in its way, and whether what a rule allows stays inside of it in all of them. For tests and fuzzing: an
//! oracle that shares nothing with what it judges.

use crate::operations::{Operations, ScopeRule};
use crate::pattern::Rule;
use http::Method;
use protocol::{Scope, ScopeSet};

/// From the bytes that were sent to those that a server acts on.
pub type Reading = fn(&[u8]) -> Vec<u8>;

/// The ways of reading, by name: from the path as it was sent to the one that a server acts on.
pub const READINGS: [(&str, Reading); 9] = [
    ("RFC 3986, remove_dot_segments", remove_dot_segments),
    ("WHATWG URL", whatwg),
    ("decoded once", |path| remove_dot_segments(&decoded(path))),
    ("decoded twice", |path| remove_dot_segments(&decoded(&decoded(path)))),
    ("servlet, parameters stripped", |path| remove_dot_segments(&decoded(&without_parameters(path)))),
    ("parameters stripped when decoded", |path| remove_dot_segments(&without_parameters(&decoded(path)))),
    ("nginx, slashes merged", |path| remove_dot_segments(&merged(&decoded(path)))),
    ("backslashes taken for slashes", |path| {
        let slashes: Vec<u8> = decoded(path).iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
        remove_dot_segments(&merged(&slashes))
    }),
    ("cut at NUL, ? and # when decoded", |path| {
        let path = decoded(path);
        let end = path.iter().position(|byte| matches!(byte, 0 | b'?' | b'#')).unwrap_or(path.len());
        remove_dot_segments(path.get(..end).unwrap_or_default())
    }),
];

/// The rules that targets are judged by, each alone.
pub const RULES: [&str; 14] = [
    "GET /",
    "GET /tickets",
    "GET /tickets/",
    "GET /tickets/*",
    "GET /tickets/*/notes",
    "GET /files/**",
    "GET /john/**",
    "GET /d/*:archive",
    "GET /d/*:*",
    "GET /caf%C3%A9/*",
    "GET /projects/*%2F*",
    "GET /projects/*%2F*/issues/*",
    "GET /projects/*%2F*/**",
    "GET /projects/group%2Fproject/**",
];

/// Each rule with what it allows, made ready.
pub struct Oracle(Vec<(&'static str, Operations, ScopeSet)>);

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// By some rule it would go on.
    Forwarded,
    /// By none.
    Refused,
}

/// A target that one reading leads out of the rule that allowed it.
#[derive(Debug)]
pub struct Escape {
    /// The rule.
    pub rule: &'static str,
    /// The reading.
    pub reading: &'static str,
    /// Where it leads.
    pub to: String,
}

impl Default for Oracle {
    fn default() -> Self {
        let scope = || Scope::parse("read").ok();
        let each = RULES.iter().filter_map(|text| {
            let rule = ScopeRule { says: String::new(), rules: vec![Rule::parse(text).ok()?] };
            Some((*text, Operations::new(vec![(scope()?, rule)]), ScopeSet::from_list("read")))
        });
        Self(each.collect())
    }
}

impl Oracle {
    /// Whether every reading of what a rule allows falls inside of that rule.
    ///
    /// # Errors
    /// The reading that does not.
    pub fn judge(&self, target: &str) -> Result<Fate, Escape> {
        let mut fate = Fate::Refused;
        for (rule, operations, scopes) in &self.0 {
            let effective = operations.effective(scopes);
            let Ok(path) = operations.path(target) else { continue };
            let Ok(permit) = operations.permit(&effective, &Method::GET, path) else { continue };
            fate = Fate::Forwarded;
            if let Some((reading, to)) = escape(rule, permit.path().as_str()) {
                return Err(Escape { rule, reading, to });
            }
        }
        Ok(fate)
    }
}

/// The first reading of a path that leads out of a rule, and where to.
#[must_use]
pub fn escape(rule: &str, path: &str) -> Option<(&'static str, String)> {
    let pattern = rule.split_once(' ').map_or(rule, |(_, pattern)| pattern);
    READINGS.iter().find_map(|(name, reading)| {
        let to = reading(path.as_bytes());
        let to = String::from_utf8_lossy(&to).into_owned();
        (!is_inside(pattern, &to)).then_some((*name, to))
    })
}

/// A plain matcher of its own: the pattern against a path that may have been decoded.
fn is_inside(pattern: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let path: Vec<&str> = path.split('/').collect();
    let pattern: Vec<&str> = pattern.trim_start_matches('/').split('/').collect();
    inside(&pattern, &path)
}

fn inside(pattern: &[&str], path: &[&str]) -> bool {
    let proper = |segment: &&str| !segment.is_empty() && !matches!(*segment, "." | "..");
    match (pattern, path) {
        ([], []) => true,
        (["**"], path) => {
            path.iter().rev().skip(1).all(proper) && path.last().is_none_or(|last| last.is_empty() || proper(last))
        }
        (["*", pattern @ ..], [segment, path @ ..]) => {
            proper(segment) && !segment.contains(':') && inside(pattern, path)
        }
        (["*%2F*", pattern @ ..], path) => (1..=path.len()).any(|taken| {
            let (joined, path) = path.split_at(taken);
            let whole = joined.iter().all(proper) && (taken > 1 || joined.iter().all(|one| is_joined(one)));
            whole && inside(pattern, path)
        }),
        ([word, pattern @ ..], path) if is_joined(word) => {
            // Read as one segment or as two.
            let parts: Vec<String> = text(&decoded(word.as_bytes())).split('/').map(str::to_owned).collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            matches!(path, [one, path @ ..] if one == word && inside(pattern, path))
                || path.strip_prefix(parts.as_slice()).is_some_and(|path| inside(pattern, path))
        }
        ([verb, pattern @ ..], [segment, path @ ..]) if verb.starts_with("*:") => {
            let wanted = verb.trim_start_matches("*:");
            let parts = segment.split_once(':');
            parts.is_some_and(|(name, verb)| wanted == "*" || (verb == wanted && !name.is_empty()))
                && inside(pattern, path)
        }
        ([word, pattern @ ..], [segment, path @ ..]) => {
            (segment == word || *segment == text(&decoded(word.as_bytes()))) && inside(pattern, path)
        }
        _ => false,
    }
}

fn is_joined(segment: &str) -> bool {
    segment.to_ascii_lowercase().contains("%2f")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// RFC 3986 §5.2.4, step by step.
fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let (mut input, mut output) = (path.to_vec(), Vec::new());
    while !input.is_empty() {
        if input.starts_with(b"../") {
            input.drain(..3);
        } else if input.starts_with(b"./") || input.starts_with(b"/./") {
            input.drain(..2);
        } else if input == b"/." {
            input.truncate(1);
        } else if input.starts_with(b"/../") || input == b"/.." {
            input.drain(..3);
            if input.is_empty() {
                input.push(b'/');
            }
            let cut = output.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            output.truncate(cut);
        } else if input == b"." || input == b".." {
            input.clear();
        } else {
            let end = input.iter().skip(1).position(|byte| *byte == b'/').map_or(input.len(), |at| at + 1);
            output.extend(input.drain(..end));
        }
    }
    output
}

fn whatwg(path: &[u8]) -> Vec<u8> {
    let url = url::Url::parse(&format!("http://api.test{}", text(path)));
    url.ok()
        .filter(|url| url.host_str() == Some("api.test"))
        .map(|url| url.path().as_bytes().to_vec())
        .unwrap_or_default()
}

/// Each `%` with two digits, once; what is none stays.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let value = match after {
            [high, low, ..] if *first == b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(*high).zip(digit(*low)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        out.push(value.unwrap_or(*first));
        rest = after.get(if value.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    out
}

/// What stands behind a `;` in each segment is cut off.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/');
    let cut = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    cut.collect::<Vec<_>>().join(&b'/')
}

fn merged(path: &[u8]) -> Vec<u8> {
    let mut out = path.to_vec();
    out.dedup_by(|one, before| *one == b'/' && *before == b'/');
    out
}

/// Targets, one after another, always the same from one seed.
pub struct Targets(u64);

impl Targets {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `SplitMix64`.
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.draw(from.len());
        from.get(at).copied().unwrap_or_default()
    }

    fn segment(&mut self) -> String {
        match self.draw(10) {
            0..=4 => self.pick(&WORDS).to_owned(),
            5 | 6 => self.pick(&PIECES).to_owned(),
            7 => format!("{}{}", self.pick(&WORDS), self.pick(&PIECES)),
            8 => format!("{}{}", self.pick(&PIECES), self.pick(&WORDS)),
            _ => format!("{}{}{}", self.pick(&PIECES), self.pick(&WORDS), self.pick(&PIECES)),
        }
    }
}

impl Iterator for Targets {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut target = self.pick(&BEGINNINGS).to_owned();
        for _ in 0..self.draw(5) {
            target.push_str(if self.draw(8) == 0 { self.pick(&SEPARATORS) } else { "/" });
            let segment = self.segment();
            target.push_str(&segment);
        }
        if target.is_empty() || self.draw(12) == 0 {
            target.push('/');
        }
        Some(target)
    }
}

const BEGINNINGS: [&str; 14] = [
    "",
    "",
    "/tickets",
    "/tickets/7",
    "/tickets/7/notes",
    "/files",
    "/files/a/b",
    "/john",
    "/d/7:archive",
    "/d",
    "/caf%C3%A9",
    "/projects/group%2Fproject",
    "/projects/a%2fb%2Fc/issues",
    "/projects",
];
const WORDS: [&str; 15] = [
    "tickets",
    "admin",
    "7",
    "notes",
    "files",
    "projects",
    "group%2Fproject",
    "issues",
    "d",
    "x:archive",
    "john",
    "johnny",
    "caf%C3%A9",
    "a",
    "Tickets",
];
const SEPARATORS: [&str; 9] = ["/", "//", "\\", "%2f", "%2F", "%5c", "/./", "/../", ";/"];
/// What servers are known to read in more than one way, and what looks like it.
const PIECES: [&str; 60] = [
    "..",
    ".",
    "...",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "%2e",
    "%252e%252e",
    "%25252e",
    "..;",
    "..;a=b",
    ";a=b",
    "%3b",
    "%3B.",
    "",
    "%2f",
    "%2F",
    "%2f..",
    "..%2f",
    "%2e%2e%2f",
    "%2F%2F",
    "%2Fadmin",
    "%252f",
    "%5c",
    "%5c..",
    "\\",
    "..\\",
    "%00",
    "%00.json",
    "%0d%0a",
    "%0a",
    "%09",
    "\t",
    " ",
    "%20",
    "+",
    "%c0%ae",
    "%c0%ae%c0%ae",
    "%c0%af",
    "%e0%80%af",
    "%ef%bc%8f",
    "%ef%bc%8e",
    "%e2%84%aa",
    "%c5%bf",
    "%ff",
    "%u002e",
    "%%32%65",
    "%",
    "%2",
    "%zz",
    "?",
    "%3f",
    "#",
    "%23",
    "*",
    ":",
    "@",
    "~",
    "\u{e9}",
    "%7e",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reading_leads_out_of_the_rule() {
        let oracle = Oracle::default();
        let mut forwarded = 0;
        for target in Targets::new(7).take(60_000) {
            let fate = oracle.judge(&target).unwrap_or_else(|escape| panic!("{target:?} escapes: {escape:?}"));
            forwarded += usize::from(fate == Fate::Forwarded);
        }
        assert!(forwarded > 6_000, "{forwarded} are enough to say something");
    }

    /// An oracle that finds nothing anywhere would say nothing.
    #[test]
    fn the_readings_know_what_leads_out() {
        for (rule, path) in [
            ("GET /tickets/*", "/tickets/.."),
            ("GET /tickets/*/notes", "/tickets/%2e%2e/notes"),
            ("GET /files/**", "/files/..%2fadmin"),
            ("GET /files/**", "/files/%252e%252e/admin"),
            ("GET /files/**", "/files/..;x/admin"),
            ("GET /files/**", "/files/x;/../../admin"),
            ("GET /files/**", "/files//x"),
            ("GET /tickets/*", "/tickets/a%2Fb"),
            ("GET /tickets/*", "/tickets/7%00x/../../admin"),
            ("GET /files/**", "/files/..%5cadmin"),
            ("GET /projects/*%2F*", "/projects/a%2F%2e%2e"),
            ("GET /projects/*%2F*", "/projects/a%2F%2Fb"),
            ("GET /john/**", "/johnny"),
        ] {
            assert!(escape(rule, path).is_some(), "{rule} on {path}");
        }
        for (rule, path) in [
            ("GET /tickets/*", "/tickets/a%20b"),
            ("GET /files/**", "/files/a/b/"),
            ("GET /projects/*%2F*/issues/*", "/projects/a%2fb%2Fc/issues/7"),
            ("GET /projects/group%2Fproject/**", "/projects/group%2Fproject/x"),
            ("GET /caf%C3%A9/*", "/caf%C3%A9/7"),
            ("GET /d/*:archive", "/d/7:archive"),
        ] {
            assert_eq!(escape(rule, path), None, "{rule} on {path}");
        }
    }
}
