//! What can be wrong with an answer of the token endpoint: each a thing that some server has done.

use serde::{Deserialize, Serialize};

macro_rules! faults {
    ($($(#[doc = $says:literal])+ $fault:ident,)+) => {
        /// One thing that is wrong with an answer. As JSON, its name in snake case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Fault {
            $($(#[doc = $says])+ $fault,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fault,)+];
        }
    };
}

#[rustfmt::skip]
faults! {
    // The connection.
    /// The connection ends without an answer.
    CutConnection,
    /// The connection is reset without an answer.
    ResetConnection,
    /// No answer, and the connection stays open.
    BlackHole,
    /// A good answer whose body comes a byte at a time, over about two seconds.
    DripAnswer,
    /// A good answer that comes a byte at a time from its status line on.
    DripEverything,
    /// An answer whose body never ends: a space a second.
    EndlessDrip,
    /// A good answer with its length; the connection ends in the middle of the body.
    CutInBody,
    /// A good answer in chunks; the connection ends before the last.
    CutInChunks,
    /// A good answer with its length; the connection is reset in the middle of the body.
    ResetInBody,
    // Statuses, with an error in JSON that says nothing where no other body is named.
    /// 400 without a body.
    Status400,
    /// 401 without a body.
    Status401,
    /// 403 and a page, as a firewall sends it.
    Status403,
    /// 404
    Status404,
    /// 405
    Status405,
    /// 408
    Status408,
    /// 409
    Status409,
    /// 413
    Status413,
    /// 418
    Status418,
    /// 429
    Status429,
    /// 429 with a `Retry-After` of two seconds.
    Status429Seconds,
    /// 429 with a `Retry-After` that names the time two seconds from now.
    Status429Date,
    /// 429 with a `Retry-After` that is neither.
    Status429Nonsense,
    /// 429 with a `Retry-After` of ten years.
    Status429Forever,
    /// 500
    Status500,
    /// 501
    Status501,
    /// 502 and a page, as a proxy sends it.
    Status502,
    /// 503
    Status503,
    /// 503 with a `Retry-After` of two seconds.
    Status503Seconds,
    /// 503 with a `Retry-After` that names the time two seconds from now.
    Status503Date,
    /// 503 with a `Retry-After` that names a time long ago.
    Status503Past,
    /// 504
    Status504,
    /// 520, which is nobody's but a proxy's.
    Status520,
    /// 202 without a body.
    Status202,
    /// 204
    Status204,
    /// 206 with a part of a good answer.
    Status206,
    /// 304
    Status304,
    // Redirects.
    /// 301 to another path of the same server.
    Redirect301,
    /// 302 to another path of the same server.
    Redirect302,
    /// 303 to another path of the same server.
    Redirect303,
    /// 307 to another path of the same server: the request, with its secrets, is to be sent again.
    Redirect307,
    /// 308 to another path of the same server.
    Redirect308,
    /// 302 that does not say where to.
    RedirectNowhere,
    // Errors of OAuth (RFC 6749 §5.2).
    /// 400 `invalid_request`
    InvalidRequest,
    /// 401 `invalid_client`
    InvalidClient,
    /// 400 `invalid_client`
    InvalidClient400,
    /// 400 `unauthorized_client`
    UnauthorizedClient,
    /// 400 `unsupported_grant_type`
    UnsupportedGrantType,
    /// 400 `invalid_scope`
    InvalidScope,
    /// 403 `access_denied`
    AccessDenied,
    /// 400 `slow_down`
    SlowDown,
    /// 400 `temporarily_unavailable`
    TemporarilyUnavailable,
    /// 503 `temporarily_unavailable`
    TemporarilyUnavailable503,
    /// 400 `server_error`
    ServerErrorCode,
    /// 400 with a code of the server's own.
    UnknownCode,
    /// 400 with a number for a code.
    CodeIsNoText,
    /// 500 whose body speaks of `invalid_grant`: the server does not know what it says.
    InvalidGrantIn500,
    /// 503 whose body speaks of `invalid_grant`.
    InvalidGrantIn503,
    /// 400 `invalid_request` whose description speaks of `invalid_grant`.
    InvalidGrantInDescription,
    /// 400 and a page that speaks of `invalid_grant`.
    InvalidGrantInPage,
    /// 400 `INVALID_GRANT`: another code, as far as RFC 6749 goes.
    InvalidGrantInCapitals,
    // Success with a body that is none.
    /// 200 without a body.
    EmptyBody,
    /// 200 and a page.
    MaintenancePage,
    /// 200 and a page that is called JSON.
    PageAsJson,
    /// 200 and `null`.
    JsonNull,
    /// 200 and an array.
    JsonArray,
    /// 200 and a text in JSON.
    JsonText,
    /// 200 and an empty object.
    JsonEmpty,
    /// 200 and something with braces.
    InvalidJson,
    /// 200 and a good answer with a byte that is no UTF-8.
    NotUtf8,
    /// 200 and eight megabytes of JSON.
    HugeJson,
    /// 200 and a hundred thousand brackets.
    DeepJson,
    /// 200 and `{"ok": false}`.
    OkFalse,
    /// 200 and an error that is an object.
    ErrorObject,
    // Success that cannot be used.
    /// No `access_token`.
    WithoutAccessToken,
    /// `access_token` is null.
    AccessTokenNull,
    /// `access_token` is empty.
    AccessTokenEmpty,
    /// `access_token` is a number.
    AccessTokenNumber,
    /// `access_token` has a space in it.
    AccessTokenWithSpace,
    /// `access_token` has a line break in it, and a header behind that.
    AccessTokenWithLineBreak,
    /// `access_token` has a million characters.
    AccessTokenHuge,
    /// `token_type` is `mac`.
    TokenTypeMac,
    /// `token_type` is a number.
    TokenTypeNumber,
    /// `access_token` is there twice.
    DuplicateMembers,
    // Success that is unusual; the tokens work.
    /// `expires_in` is a number in quotes.
    ExpiresInText,
    /// No `expires_in`.
    ExpiresInAbsent,
    /// `expires_in` is null.
    ExpiresInNull,
    /// `expires_in` is 0.
    ExpiresInZero,
    /// `expires_in` is -1.
    ExpiresInNegative,
    /// `expires_in` has a fraction.
    ExpiresInFraction,
    /// `expires_in` is 2^63.
    ExpiresInHuge,
    /// `expires_in` is a word.
    ExpiresInNonsense,
    /// No `token_type`.
    TokenTypeAbsent,
    /// `token_type` is `BEARER`.
    TokenTypeShouted,
    /// `refresh_token` is null where there is none.
    RefreshTokenNull,
    /// `refresh_token` is empty where there is none.
    RefreshTokenEmpty,
    /// `refresh_token` is the one that was presented, where there is no other.
    RefreshTokenRepeated,
    /// No `scope`.
    ScopeAbsent,
    /// `scope` is null.
    ScopeNull,
    /// 201
    Status201,
    /// JSON that is called plain text.
    ContentTypeText,
    /// JSON that is not called anything.
    ContentTypeAbsent,
    /// JSON behind a byte order mark.
    ByteOrderMark,
    /// JSON that is called compressed, and is not.
    SaysGzip,
    /// A form in place of JSON, and called so.
    Form,
    /// A hundred members that nobody knows.
    UnknownMembers,
}

impl Fault {
    /// Whether the answer carries tokens that a client can use. Such an answer is always carried out.
    #[must_use]
    pub const fn issues(self) -> bool {
        matches!(
            self,
            Self::DripAnswer
                | Self::DripEverything
                | Self::ExpiresInText
                | Self::ExpiresInAbsent
                | Self::ExpiresInNull
                | Self::ExpiresInZero
                | Self::ExpiresInNegative
                | Self::ExpiresInFraction
                | Self::ExpiresInHuge
                | Self::ExpiresInNonsense
                | Self::TokenTypeAbsent
                | Self::TokenTypeShouted
                | Self::RefreshTokenNull
                | Self::RefreshTokenEmpty
                | Self::RefreshTokenRepeated
                | Self::ScopeAbsent
                | Self::ScopeNull
                | Self::Status201
                | Self::ContentTypeText
                | Self::ContentTypeAbsent
                | Self::ByteOrderMark
                | Self::SaysGzip
                | Self::Form
                | Self::UnknownMembers
        )
    }
}
