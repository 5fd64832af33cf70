use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Unreadable;

/// A JSON object, as far as anybody looks into it. All of it was read: no name is in one object twice, however deep.
#[derive(Debug)]
pub(super) struct Object(Vec<(String, Member)>);

/// What stands behind a name.
#[derive(Debug)]
pub(super) enum Member {
    Null,
    Text(String),
    Object(Object),
    /// A list, below which nothing is looked at.
    List,
    /// A number or a truth value.
    Other,
    /// Something that stands too deep to be looked at.
    Passed,
}

impl Object {
    /// RFC 8259, without what it leaves open (§4): a name that occurs twice.
    pub(super) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let read = Strict { depth: 0 }.deserialize(&mut reader).map_err(|_| Unreadable::Json)?;
        reader.end().map_err(|_| Unreadable::Json)?;
        match read {
            Member::Object(object) => Ok(object),
            Member::List => Err(Unreadable::Batch),
            Member::Null | Member::Text(_) | Member::Other | Member::Passed => Err(Unreadable::NotAnObject),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Member> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, member)| member)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Refuses every name but these.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Unreadable> {
        let known = self.0.iter().all(|(own, _)| names.contains(&own.as_str()));
        if known { Ok(()) } else { Err(Unreadable::Member) }
    }

    /// A text under this name; some servers take the same name in other letters for it, so none such may stand beside it or instead.
    pub(super) fn sole_text(&self, name: &str) -> Result<Option<&str>, Unreadable> {
        if self.has_variant(name) {
            return Err(Unreadable::Member);
        }
        match self.get(name) {
            Some(Member::Text(text)) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// Whether a name is there that differs from this one in its letters' case alone, as Unicode has it.
    fn has_variant(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own != name && is_folded(own, name))
    }

    /// Whether a name is there in whatever case.
    pub(super) fn has_in_any_case(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| is_folded(own, name))
    }
}

/// Whether servers that forgive letters' case, or spaces around them, take one for the other; letters beyond ASCII included that fold to
/// some of it.
fn is_folded(own: &str, name: &str) -> bool {
    let fold = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        '\u{130}' | '\u{131}' => 'i',
        _ => letter.to_ascii_lowercase(),
    };
    own.trim().chars().map(fold).eq(name.chars().map(fold))
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Member, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        if self.depth > LOOKED_AT {
            return Ok(Member::Passed);
        }
        Ok(Member::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        // Whatever is in it, nobody looks.
        let inner = Self { depth: self.depth.max(LOOKED_AT) }.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(Member::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Member, A::Error> {
        let inner = self.deeper()?;
        let mut names = BTreeSet::new();
        let mut members = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            let member = entries.next_value_seed(inner)?;
            // To some a name ends where NUL stands.
            if self.depth < LOOKED_AT && name.chars().any(char::is_control) {
                return Err(A::Error::custom("a name that does not print"));
            }
            if self.depth < LOOKED_AT {
                members.push((name.clone(), member));
            }
            if !names.insert(name) {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(if self.depth < LOOKED_AT { Member::Object(Object(members)) } else { Member::Passed })
    }
}

/// Members are looked at in the object itself and in those right below it.
const LOOKED_AT: usize = 2;
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Object, Unreadable> {
        Object::read(text.as_bytes())
    }

    #[test]
    fn an_object_is_read_as_deep_as_anybody_looks() {
        let object = read(r#" {"a":"x","b":{"c":"y","d":{"e":1}},"f":["z"],"g":null,"h":1e3} "#).expect("an object");
        assert!(matches!(object.get("a"), Some(Member::Text(text)) if text == "x"));
        let Some(Member::Object(inner)) = object.get("b") else { panic!("an object") };
        assert!(matches!(inner.get("c"), Some(Member::Text(text)) if text == "y"));
        assert!(matches!(inner.get("d"), Some(Member::Passed)));
        assert!(matches!((object.get("f"), object.get("g")), (Some(Member::List), Some(Member::Null))));
        assert!(matches!(object.get("h"), Some(Member::Other)) && !object.has("e"));
    }

    #[test]
    fn a_name_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":{"b":{"c":{"d":1,"d":1}}}}"#,
            r#"{"a":[[{"b":1,"\u0062":2}]]}"#,
        ] {
            assert_eq!(read(text).err(), Some(Unreadable::Json), "{text}");
        }
        assert!(read(r#"{"a":{"a":{"a":1}},"A":1}"#).is_ok());
    }

    #[test]
    fn what_two_readers_could_take_for_two_things_is_refused() {
        for text in [
            "",
            "{",
            "{}{}",
            "{} x",
            "{}\0",
            "{'a':1}",
            "\u{feff}{}",
            "{\"a\":01}",
            "{\"a\":1,}",
            "{/**/}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x41\"}",
            "{a:1}",
        ] {
            assert_eq!(read(text).err(), Some(Unreadable::Json), "{text:?}");
        }
        assert_eq!(Object::read(b"{\"a\":\"\xff\"}").err(), Some(Unreadable::Json));
        assert_eq!(read("[{}]").err(), Some(Unreadable::Batch));
        for text in ["null", "1", "\"x\""] {
            assert_eq!(read(text).err(), Some(Unreadable::NotAnObject));
        }
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(MAX_DEPTH - 2)).is_ok());
        for depth in [MAX_DEPTH, 30_000] {
            assert_eq!(read(&nested(depth)).err(), Some(Unreadable::Json), "{depth}");
        }
    }

    #[test]
    fn a_name_that_does_not_print_is_refused_where_names_are_looked_at() {
        for text in [r#"{"a\u0000":1}"#, r#"{"b":{"name\u0000":1,"name":2}}"#, r#"{"b":{"a\u009f":1}}"#, r#"{"\n":1}"#]
        {
            assert_eq!(read(text).err(), Some(Unreadable::Json), "{text}");
        }
        assert!(read(r#"{"b":{"c":{"a\n":1}}}"#).is_ok(), "what is looked at by the server alone");
    }

    #[test]
    fn a_name_in_other_letters_is_not_overlooked() {
        for (text, expected) in [
            (r#"{"name":"x"}"#, Ok(Some("x"))),
            (r#"{"name":1}"#, Ok(None)),
            ("{}", Ok(None)),
            (r#"{"name":"x","Name":"y"}"#, Err(Unreadable::Member)),
            (r#"{"NAME":"y"}"#, Err(Unreadable::Member)),
        ] {
            assert_eq!(read(text).expect("an object").sole_text("name"), expected, "{text}");
        }
        assert!(is_folded(" Name ", "name") && !is_folded("na me", "name"));
        assert!(is_folded("ta\u{17f}\u{212a}Id", "taskid") && !is_folded("tas", "task"));
    }
}
