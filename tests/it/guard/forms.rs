use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// A body that says the token in one form.
pub(super) struct Form {
    pub(super) name: &'static str,
    /// As the service says it, and as the agent is to get it.
    pub(super) write: fn(&str) -> (Vec<u8>, Vec<u8>),
}

pub(super) const FORMS: [Form; 24] = [
    Form { name: "JSON", write: |token| around("{\"headers\":{\"authorization\":\"Bearer ", token, "\"},\"n\":1}") },
    Form { name: "HTML", write: |token| around("<pre>Authorization: Bearer ", token, "</pre>\n") },
    Form { name: "an event", write: |token| around("event: echo\ndata: ", token, "\n\ndata: next\n\n") },
    Form {
        name: "multipart",
        write: |token| around("--b\r\ncontent-type: text/plain\r\n\r\n", token, "\r\n--b\r\n\r\nx\r\n--b--\r\n"),
    },
    Form { name: "a URL", write: |token| around("https://x.example/?access_token=", token, "&x=%20") },
    Form { name: "nothing else", write: |token| around("", token, "") },
    Form { name: "twice", write: |token| around(&format!("{}{}", "", ""), &format!("{token}{token}"), " ") },
    Form { name: "base64 by itself", write: |token| base64("", token, "") },
    Form { name: "base64 after one byte", write: |token| base64("x", token, "?") },
    Form { name: "base64 after two bytes", write: |token| base64("xy", token, "?>") },
    Form { name: "base64 of a header", write: |token| base64("Authorization: Bearer ", token, "\r\nAccept: */*") },
    Form { name: "base64 of URLs by itself", write: |token| base64url("", token, "") },
    Form { name: "base64 of URLs after one byte", write: |token| base64url("~", token, "~") },
    Form { name: "base64 of URLs after two bytes", write: |token| base64url("~~", token, "~~~") },
    Form { name: "hex", write: |token| around("0x", &HEXLOWER.encode(token.as_bytes()), "00") },
    Form { name: "upper hex", write: |token| around("0x", &HEXUPPER.encode(token.as_bytes()), "00") },
    Form { name: "mixed hex", write: |token| around("", &mixed(&HEXLOWER.encode(token.as_bytes())), "\n") },
    Form { name: "percent", write: |token| around("q=", &each(token, |byte, _| format!("%{byte:02X}")), "&") },
    Form { name: "lower percent", write: |token| around("q=", &each(token, |byte, _| format!("%{byte:02x}")), "&") },
    Form {
        name: "percent now and then",
        write: |token| {
            around("q=", &each(token, |byte, at| if at % 3 == 1 { format!("%{byte:02x}") } else { plain(byte) }), "&")
        },
    },
    Form {
        name: "escapes of JSON",
        write: |token| around("\"", &each(token, |byte, _| format!("\\u{byte:04x}")), "\""),
    },
    Form {
        name: "an escape of JSON now and then",
        write: |token| {
            around(
                "\"",
                &each(token, |byte, at| if at % 4 == 0 { format!("\\u{byte:04X}") } else { plain(byte) }),
                "\"",
            )
        },
    },
    Form {
        name: "entities",
        write: |token| {
            around(
                "<p>",
                &each(token, |byte, at| if at % 2 == 0 { format!("&#{byte};") } else { format!("&#x{byte:x};") }),
                "</p>",
            )
        },
    },
    Form { name: "UTF-16", write: wide },
];

fn around(before: &str, token: &str, after: &str) -> (Vec<u8>, Vec<u8>) {
    let masked = "*".repeat(token.len());
    (format!("{before}{token}{after}").into_bytes(), format!("{before}{masked}{after}").into_bytes())
}

fn base64(before: &str, token: &str, after: &str) -> (Vec<u8>, Vec<u8>) {
    encoded(before, token, &BASE64.encode(format!("{before}{token}{after}").as_bytes()))
}

fn base64url(before: &str, token: &str, after: &str) -> (Vec<u8>, Vec<u8>) {
    encoded(before, token, &BASE64URL_NOPAD.encode(format!("{before}{token}{after}").as_bytes()))
}

/// Every character that has a bit of the token is masked.
fn encoded(before: &str, token: &str, text: &str) -> (Vec<u8>, Vec<u8>) {
    let (first, end) = (8 * before.len() / 6, (8 * (before.len() + token.len())).div_ceil(6));
    let masked = format!("{}{}{}", &text[..first], "*".repeat(end - first), &text[end..]);
    (format!("[{text}]").into_bytes(), format!("[{masked}]").into_bytes())
}

fn each(token: &str, write: fn(u8, usize) -> String) -> String {
    token.bytes().enumerate().map(|(at, byte)| write(byte, at)).collect()
}

fn plain(byte: u8) -> String {
    char::from(byte).to_string()
}

fn mixed(text: &str) -> String {
    let upper = |(at, digit): (usize, char)| if at % 3 == 0 { digit.to_ascii_uppercase() } else { digit };
    text.chars().enumerate().map(upper).collect()
}

fn wide(token: &str) -> (Vec<u8>, Vec<u8>) {
    let of = |text: &str| [b"\xff\xfe".to_vec(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    (of(&format!("<{token}>")), of(&format!("<{}>", "*".repeat(token.len()))))
}
