/// Makes `pub fn each() -> Vec<Self>` of an enum: one or several of every kind, for whoever lists what clients can be told.
///
/// Each line is a pattern, and examples of it. A kind without a line does not compile, so no list that is made of it lacks one.
#[macro_export]
macro_rules! each {
    ($name:ident { $($kind:pat => $examples:expr),+ $(,)? }) => {
        impl $name {
            /// Examples of every kind, for lists of what clients can be told.
            #[must_use]
            pub fn each() -> Vec<Self> {
                use $name::*;
                let _all = |one: &Self| match one {
                    $($kind => (),)+
                };
                let mut all = Vec::new();
                $(all.extend($examples);)+
                all
            }
        }
    };
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the errors that it is made for are public")]
mod tests {
    #[derive(Debug, PartialEq, Eq)]
    enum Fault {
        Plain,
        Numbered(u8),
    }

    each!(Fault { Plain => [Plain], Numbered(_) => (1..3).map(Numbered) });

    #[test]
    fn every_kind_is_there() {
        assert_eq!(Fault::each(), [Fault::Plain, Fault::Numbered(1), Fault::Numbered(2)]);
    }
}
