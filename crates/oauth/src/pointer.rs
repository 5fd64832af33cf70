use serde_json::Value;

/// A JSON pointer (RFC 6901) to a member of an answer, such as `/sub` or `/data/user/id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(String);

/// The text is no JSON pointer to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer begins with `/`, and `~` stands only in `~0` and `~1`")]
pub struct PointerError;

impl Pointer {
    /// Checks the form. The empty pointer, which names the whole answer, is refused: no answer is a subject or a name.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !text.starts_with('/') || !escapes {
            return Err(PointerError);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A pointer to a member of the outermost object.
    pub(crate) fn member(name: &'static str) -> Self {
        Self(format!("/{name}"))
    }

    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_finds_a_member() {
        let answer = json!({"sub": "1", "data": {"user": [{"a/b": 2}]}});
        for (pointer, found) in [
            ("/sub", Some(json!("1"))),
            ("/data/user/0/a~1b", Some(json!(2))),
            ("/data/user/1", None),
            ("/sub/x", None),
        ] {
            assert_eq!(Pointer::parse(pointer).expect(pointer).find(&answer), found.as_ref(), "{pointer}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["", "sub", "#/sub", "/a~", "/a~2b", "$.sub"] {
            assert_eq!(Pointer::parse(text), Err(PointerError), "{text:?}");
        }
    }
}
