//! ID tokens (OpenID Connect Core §2): who consented, for a client that asked with `openid`. And the keys that they are signed with.

use std::time::Duration;

use jwt::IssuerKey;
use secret::Opaque;
use serde_json::{Value, json};
use store::{Life, Written};

use super::FrontError;
use super::records::{Family, IssuerKeys, KeptIssuerKey};
use crate::records::Kept;
use crate::{Broker, BrokerError};

impl Broker {
    /// The keys that ID tokens are signed with: a JWK set (RFC 7517 §5), the present key and those of tokens that may still be looked at.
    pub async fn issuer_keys(&self) -> Result<Value, FrontError> {
        let keys = self.signing_keys().await?;
        let jwks: Result<Vec<Value>, BrokerError> = keys.keys.iter().map(|kept| Ok(read(kept)?.public_jwk())).collect();
        Ok(json!({"keys": jwks?}))
    }

    /// The ID token of a family, where its client asked for one.
    pub(crate) async fn id_token(&self, family: &Family, nonce: Option<&str>) -> Result<Option<Opaque>, FrontError> {
        if !Self::wants_id_token(family) {
            return Ok(None);
        }
        let keys = self.signing_keys().await?;
        let newest = keys.keys.last().ok_or(BrokerError::Contention)?;
        let now = self.now();
        let mut claims = json!({
            "iss": self.urls.public(),
            "sub": family.user,
            "aud": family.client,
            "iat": now.as_secs(),
            "exp": now.plus(self.lifetimes.token).as_secs(),
        });
        if let (Some(nonce), Some(claims)) = (nonce, claims.as_object_mut()) {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        let token = read(newest)?.sign("JWT", &claims).map_err(|_| BrokerError::TaskLost)?;
        Ok(Some(Opaque::new(token)))
    }

    /// The keys as they are: made at first use, and a new one each quarter.
    async fn signing_keys(&self) -> Result<IssuerKeys, BrokerError> {
        let key = IssuerKeys::key();
        for _ in 0..RETRIES {
            let held = self.vault.get::<IssuerKeys>(&key).await?;
            let now = self.now();
            let fresh = |kept: &KeptIssuerKey| now.since(kept.made) < RENEWED;
            if let Some(held) = &held
                && held.body.keys.last().is_some_and(fresh)
            {
                return Ok(held.body.clone());
            }
            let drawn = IssuerKey::draw(self.entropy.as_ref()).ok_or(BrokerError::TaskLost)?;
            let drawn = KeptIssuerKey { key: Kept::new(&drawn.to_text()), made: now };
            let earlier = held.as_ref().map(|held| held.body.keys.clone()).unwrap_or_default();
            let earlier = earlier.into_iter().filter(|kept| now.since(kept.made) < RENEWED + self.lifetimes.token);
            let keys = IssuerKeys { keys: earlier.chain([drawn]).collect() };
            let written = match held {
                Some(held) => self.vault.swap(&key, held.version, &keys, Life::Forever).await?,
                None => self.vault.insert(&key, &keys, Life::Forever).await?,
            };
            if written == Written::Done {
                return Ok(keys);
            }
        }
        Err(BrokerError::Contention)
    }
}

fn read(kept: &KeptIssuerKey) -> Result<IssuerKey, BrokerError> {
    IssuerKey::from_text(kept.key.expose()).ok_or(BrokerError::TaskLost)
}

const RENEWED: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const RETRIES: usize = 8;
