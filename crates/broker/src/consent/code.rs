//! The codes that consents end with.

use protocol::SessionId;
use secret::SecretHash;

use crate::records::Session;

/// The one-time code of a session: made from the session and the secret that only the consenting browser holds, so that a reloaded
/// page shows the same code while the gateway keeps only its hash. In full where software carries it; 60 bits, good for ten minutes
/// and five tries, where a person does.
pub(crate) fn code(session: &SessionId, record: &Session, binding: &str) -> String {
    let digest = SecretHash::of(&format!("code\n{session}\n{binding}")).to_hex();
    if record.front.is_some() {
        // The token endpoint of OAuth gets nothing but the code: it names its session.
        return format!("{CODE}{}.{digest}", session_part(session));
    }
    if record.redirect_uri.is_some() {
        return format!("{CODE}{digest}");
    }
    let bytes = data_encoding::HEXLOWER.decode(digest.as_bytes()).unwrap_or_default();
    data_encoding::BASE32_NOPAD.encode(&bytes).get(..12).unwrap_or_default().to_owned()
}

/// What a session's name has besides its prefix.
fn session_part(session: &SessionId) -> &str {
    session.as_str().strip_prefix(SESSION).unwrap_or_default()
}

/// The session that an authorization code of an OAuth client names.
pub(crate) fn session_of(code: &str) -> Option<SessionId> {
    let (session, _) = code.strip_prefix(CODE)?.split_once('.')?;
    SessionId::parse(&format!("{SESSION}{session}")).ok()
}

const CODE: &str = "ath_code_";
const SESSION: &str = "ath_sess_";

/// A short code as people read it aloud: `XXXX-XXXX-XXXX`.
pub(super) fn spoken(code: &str) -> String {
    code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}
