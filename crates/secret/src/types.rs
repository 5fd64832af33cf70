use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the secret over; it is wiped when the last copy is dropped.
            #[must_use]
            pub fn new(value: impl Into<String>) -> Self {
                Self(Zeroizing::new(value.into()))
            }

            /// The secret itself. Every caller is a place where it could leak: keep them few.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

secret!(
    /// An upstream access token (RFC 6749 §1.4).
    AccessToken
);
secret!(
    /// An upstream refresh token (RFC 6749 §1.5).
    RefreshToken
);
secret!(
    /// A client's secret (RFC 6749 §2.3.1): of the gateway's at a provider, or of one that calls the gateway.
    ClientSecret
);
secret!(
    /// An authorization code that a provider sent to the callback (RFC 6749 §1.3.1).
    AuthorizationCode
);
secret!(
    /// A PKCE code verifier (RFC 7636 §4.1).
    CodeVerifier
);
secret!(
    /// What a gateway asks with while a person types in the code that belongs to it (RFC 8628 §3.2).
    DeviceCode
);
secret!(
    /// An ID token (OpenID Connect Core §2); it names a person, so it is treated as a secret.
    IdToken
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_name_alone() {
        assert_eq!(format!("{:?}", AccessToken::new("canary")), "AccessToken([redacted])");
        assert_eq!(format!("{:#?}", Some(RefreshToken::new("canary"))), "Some(\n    RefreshToken([redacted]),\n)");
    }

    #[test]
    fn expose_is_the_door() {
        assert_eq!(ClientSecret::new("canary").expose(), "canary");
    }
}
