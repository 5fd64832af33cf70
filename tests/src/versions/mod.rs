//! What one version of the gateway begins, and another goes on with: on the same store at different times, or side by side.

mod ground;
mod redis_text;
mod story;

pub use ground::Ground;
pub use redis_text::{restore, written_down};
pub use story::Story;

/// The ports of the gateway and of the provider, which are in the records of `tests/fixtures/records`: below those that tests draw.
pub const EMBEDDED: (u16, u16) = (11_801, 11_802);
/// Those of the records that lay in Redis.
pub const ON_REDIS: (u16, u16) = (11_811, 11_812);
