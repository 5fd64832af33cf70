//! An API whose host the provider's answer names.

use broker::{Bases, Template};
use oauth::{HostPattern, Plaintext, Pointer};

use super::oauth::pointer;
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::PlainHttp;

/// Which hosts may be named, and where.
pub(super) struct Read {
    pub(super) bases: Bases,
    pub(super) place: Place,
}

/// Where the answer names the host.
pub(super) enum Place {
    Token(Pointer),
    Userinfo(Pointer),
}

impl Read {
    /// Puts the place into the settings of the OAuth client; what is left is for the broker.
    pub(super) fn into_settings(self, settings: &mut ::oauth::Settings) -> Bases {
        match self.place {
            Place::Userinfo(pointer) => settings.userinfo_api_base = Some(pointer),
            Place::Token(pointer) => {
                if let Some(refresh) = &mut settings.refresh_answer {
                    refresh.api_base = Some(pointer.clone());
                }
                settings.answer.api_base = Some(pointer);
            }
        }
        self.bases
    }
}

/// `None` where nothing is said about it; what is said wrongly is reported.
pub(super) fn read(provider: &Table<'_>, key: &Key, http: PlainHttp) -> Option<Read> {
    let table = provider.optional_table(key)?;
    let pointer = table.parsed(&POINTER, pointer);
    let from = table.text(&FROM);
    let template = table.parsed(&TEMPLATE, Template::parse).map(|found| found.value);
    let written = table.texts(&HOSTS);
    let empty = written.is_empty();
    let hosts = written.into_iter().filter_map(|host| host.parsed(HostPattern::parse)).map(|found| found.value);
    let hosts: Vec<HostPattern> = hosts.collect();
    if let Some(place) = table.written(&HOSTS).filter(|_| empty) {
        return place.refused("is empty; write the hosts that answers may name, as in \"*.my.salesforce.com\"");
    }
    let plaintext = if http == PlainHttp::Nowhere { Plaintext::Refused } else { Plaintext::Allowed };
    let pointer = pointer?.value;
    let place = if from?.value == "userinfo" { Place::Userinfo(pointer) } else { Place::Token(pointer) };
    Some(Read { bases: Bases::new(hosts, plaintext, template), place })
}

pub(super) const KEYS: &[Key] = &[POINTER, FROM, HOSTS, TEMPLATE];

const POINTER: Key = Key::required(
    "pointer",
    Form::Text,
    "pointer = \"/instance_url\"",
    "A JSON pointer to it: a URL, of which the origin counts, or a host's name.",
);
const FROM: Key = Key::default(
    "from",
    Form::OneOf(&["token", "userinfo"]),
    "token",
    "Whose answer names it: the token endpoint's, which is the default, or that of userinfo_endpoint.",
);
const HOSTS: Key = Key::required(
    "hosts",
    Form::Texts,
    "hosts = [\"*.my.salesforce.com\"]",
    "The hosts that it may name, each with its name or all below one, on the usual port unless one is written.",
);
const TEMPLATE: Key = Key::optional(
    "template",
    Form::Text,
    "An origin with {} for the value, where that is one label of a host's name; none by default.",
);
