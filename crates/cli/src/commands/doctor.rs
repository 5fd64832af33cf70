//! `ath doctor`.

use crate::context::Context;
use crate::output::Outcome;
use crate::{Failure, doctor};

pub(crate) async fn run(context: &Context) -> Result<Outcome, Failure> {
    Ok(doctor::run(context).await)
}
