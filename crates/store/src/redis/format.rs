//! In which format everything under the prefix is: one value, which every gateway reads before it reads anything else.

use super::commands::Commands;
use super::fleet::Fleet;
use super::node::Lane;
use crate::StoreError;
use crate::format::{self, Mark};

/// Refuses a format that this program does not read. Writes nothing. Asked before replicas have vouched for anybody: from a primary that
/// was cut off it may be the format of a moment ago, which the next look finds out.
pub(super) async fn look(fleet: &Fleet, commands: &Commands) -> Result<Mark, StoreError> {
    let found: Option<Vec<u8>> = fleet.query(commands.bus(), commands.format(), Lane::Plain).await?;
    format::judge(found.as_deref())
}

/// Says in which format this program writes. Never writes over a newer one that it has read. There is one format so far: before there is a
/// second one, two that begin at once have to be settled in one step (set where absent or older).
pub(super) async fn claim(fleet: &Fleet, commands: &Commands) -> Result<(), StoreError> {
    let command = match look(fleet, commands).await? {
        Mark::Stands => return Ok(()),
        Mark::Missing => commands.begin_format(&format::mark()),
        Mark::Older => commands.change_format(&format::mark()),
    };
    fleet.run(commands.bus(), vec![command], Lane::Write).await?;
    look(fleet, commands).await.map(drop)
}
