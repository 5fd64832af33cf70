//! What the gateway shows a service that asks for a certificate.

use crate::config::key::{Form, Key};
use crate::config::pem::{self, Identity};
use crate::config::reader::Table;

pub(super) fn read(table: &Table<'_>) -> Option<Identity> {
    let (chain, key) = (table.text(&CERT_FILE), table.text(&KEY_FILE));
    pem::identity(&chain?, &key?)
}

pub(super) const KEYS: &[Key] = &[CERT_FILE, KEY_FILE];

const CERT_FILE: Key = Key::required(
    "cert_file",
    Form::Text,
    "cert_file = \"/etc/ath-gateway/client.crt\"",
    "A PEM file with the gateway's certificate for this service first, then the intermediate ones.",
);
const KEY_FILE: Key = Key::required(
    "key_file",
    Form::Text,
    "key_file = \"/etc/ath-gateway/client.key\"",
    "A PEM file with that certificate's own private key.",
);
