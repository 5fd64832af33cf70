//! Whether something is configured as it was before: what it says, and what stands in the files and variables that it refers to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use toml::de::DeTable;

use super::effective;
use super::environment::{Contents, Environment};

/// What one part of a configuration comes to. Prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

/// An environment that keeps in mind what was read of it.
pub(super) struct Recorder<'e> {
    inner: &'e dyn Environment,
    read: RefCell<Context>,
}

/// The settings that are read at the start alone: listeners, the store and logs are opened once. By their keys, and what each comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fixed(BTreeMap<String, Fingerprint>);

impl Fingerprint {
    /// Of a table, what was read for it, and what it depends on besides.
    pub(super) fn of(table: Option<&DeTable<'_>>, read: Self, besides: &str) -> Self {
        let said = table.map(effective::written_table).unwrap_or_default();
        Self::of_parts([said.as_bytes(), &read.0, besides.as_bytes()].into_iter())
    }

    /// Of these, in their order.
    pub(crate) fn of_parts<'p>(parts: impl Iterator<Item = &'p [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self::end(context)
    }

    fn end(context: Context) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint")
    }
}

impl<'e> Recorder<'e> {
    pub(super) fn new(inner: &'e dyn Environment) -> Self {
        Self { inner, read: RefCell::new(Context::new(&SHA256)) }
    }

    /// What was read since this was asked last.
    pub(super) fn take(&self) -> Fingerprint {
        Fingerprint::end(self.read.replace(Context::new(&SHA256)))
    }

    fn note(&self, name: &[u8], said: Result<&[u8], ()>) {
        let mut read = self.read.borrow_mut();
        read.update(&(name.len() as u64).to_be_bytes());
        read.update(name);
        let said = said.map_err(|()| b"nothing");
        read.update(&[u8::from(said.is_ok())]);
        let said = said.unwrap_or_else(|none| none);
        read.update(&(said.len() as u64).to_be_bytes());
        read.update(said);
    }
}

impl Environment for Recorder<'_> {
    fn read_up_to(&self, path: &Path, most: u64) -> io::Result<Contents> {
        let contents = self.inner.read_up_to(path, most);
        let said = contents.as_ref().map(|contents| contents.bytes.as_slice()).map_err(drop);
        self.note(path.as_os_str().as_bytes(), said);
        contents
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        let value = self.inner.variable(name);
        self.note(name.as_bytes(), value.as_ref().map(|value| value.as_bytes()).ok_or(()));
        value
    }
}

impl Fixed {
    /// Of a whole configuration.
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let sections =
            SECTIONS.iter().filter_map(|section| Some((*section, root.get(*section)?.get_ref().as_table()?)));
        let settings = sections.flat_map(|(section, table)| {
            let settings = effective::plain(table).into_iter();
            settings.map(move |(key, value)| (format!("{section}.{key}"), value))
        });
        let known = settings.filter_map(|(key, value)| match standing(&key) {
            Standing::Fixed => Some((key, Fingerprint::of_parts([value.as_bytes()].into_iter()))),
            // What it says is read again, and that it is there is not.
            Standing::Kept => Some((key, Fingerprint::of_parts(std::iter::empty()))),
            Standing::ReadAgain => None,
        });
        Self(known.collect())
    }

    /// The keys that say something else than before, or are there on one side alone.
    pub(crate) fn differing<'s>(&'s self, before: &'s Self) -> Vec<&'s str> {
        let new = self.0.iter().filter(|(key, value)| before.0.get(*key) != Some(value));
        let gone = before.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        let mut keys: Vec<&str> = new.chain(gone).map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// When a setting is read.
enum Standing {
    Fixed,
    Kept,
    ReadAgain,
}

fn standing(key: &str) -> Standing {
    let below = |fixed: &str| key.strip_prefix(fixed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let among = |keys: &[&str]| keys.iter().any(|known| below(known));
    match (among(FIXED), among(KEPT), among(READ_AGAIN)) {
        (_, true, _) => Standing::Kept,
        (true, false, false) => Standing::Fixed,
        _ => Standing::ReadAgain,
    }
}

/// Where such settings stand.
const SECTIONS: &[&str] = &["gateway", "store", "log", "audit", "access_log", "admin", "limits", "opentelemetry"];
const FIXED: &[&str] = &[
    "gateway.listen",
    "gateway.workers",
    "store",
    "log",
    "audit",
    "access_log",
    "admin",
    "opentelemetry",
    "limits.connections",
    "limits.connections_per_address",
    "limits.request_memory",
];
/// Of those, what is read again all the same.
const READ_AGAIN: &[&str] = &["store.keys"];
/// What is there from the start on, or never, whatever it says.
const KEPT: &[&str] = &["admin.key"];

#[cfg(test)]
mod tests {
    use super::super::tests::Fake;
    use super::*;

    fn table(text: &str) -> DeTable<'_> {
        DeTable::parse(text).expect("TOML").into_inner()
    }

    fn of(text: &str, read: &[&str]) -> Fingerprint {
        let nothing = Fake::default();
        let recorder = Recorder::new(&nothing);
        let table = table(text);
        for name in read {
            let _ = recorder.variable(name);
        }
        Fingerprint::of(Some(&table), recorder.take(), "")
    }

    #[test]
    fn what_says_the_same_is_the_same_wherever_it_stands() {
        let one = of("id = \"crm\"\n[oauth]\nscopes = [\"a\"]", &["A"]);
        assert_eq!(one, of("# moved down\n\n\nid = \"crm\"\n[oauth]\nscopes  =  [\"a\"]", &["A"]));
        for (text, read) in [
            ("id = \"crm\"\n[oauth]\nscopes = [\"b\"]", ["A"]),
            ("id = \"crm\"\nscopes = [\"a\"]", ["A"]),
            ("id = \"crm\"\n[oauth]\nscopes = [\"a\"]", ["B"]),
        ] {
            assert_ne!(one, of(text, &read), "{text}");
        }
    }

    #[test]
    fn what_can_only_be_changed_by_a_restart_is_named() {
        let of = |text: &str| Fixed::of(&table(text));
        let before = of(
            "[gateway]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://a\"\n[store]\npath = \"x\"\nkeys = [{ file = \"k\" }]",
        );
        let same =
            of("[gateway]\nlisten = \"127.0.0.1:1\"\npublic_url = \"https://b\"\n[store]\npath = \"x\"\nkeys = []");
        assert_eq!(same.differing(&before), Vec::<&str>::new());
        let other = of(
            "[gateway]\nlisten = \"127.0.0.1:2\"\n[store]\npath = \"x\"\nredis.url = \"r\"\n[admin]\nkey = { file = \"k\" }",
        );
        assert_eq!(other.differing(&before), ["admin.key", "gateway.listen", "store.redis.url"]);
        let prefix = |prefix: &str| of(&format!("[store]\nkey_prefix = \"{prefix}\"\nurl = \"redis://u:{prefix}@h\""));
        assert_eq!(prefix("a").differing(&prefix("b")), ["store.key_prefix", "store.url"], "also what is never shown");
        let key = |file: &str| of(&format!("[admin]\nkey = {{ file = \"{file}\" }}"));
        assert_eq!(key("a").differing(&key("b")), Vec::<&str>::new(), "another key may lie elsewhere");
        assert_eq!(before.differing(&of("")), ["gateway.listen", "store.path"]);
    }
}
