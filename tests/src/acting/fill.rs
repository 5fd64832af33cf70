//! What goes into an answer's template.

use serde_json::json;

/// What a template may ask for.
pub(crate) struct Filling<'a> {
    pub(crate) access: &'a str,
    pub(crate) refresh: &'a str,
    pub(crate) lifetime: u64,
    pub(crate) now: u64,
    pub(crate) scopes: &'a [String],
    pub(crate) separator: char,
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) id_token: &'a str,
}

impl Filling<'_> {
    pub(crate) fn fill(&self, template: &str) -> String {
        let end = self.now + self.lifetime;
        // The longer name before the one that it begins with.
        template
            .replace("$access", self.access)
            .replace("$refresh", self.refresh)
            .replace("$idtoken", self.id_token)
            .replace("$id", self.id)
            .replace("$in", &self.lifetime.to_string())
            .replace("$at", &end.to_string())
            .replace("$date", &date(end))
            .replace("$scopes", &json!(self.scopes).to_string())
            .replace("$scope", &self.scopes.join(&self.separator.to_string()))
            .replace("$name", self.name)
            .replace("$origin", self.origin)
    }
}

/// RFC 3339, by the civil calendar of Howard Hinnant's `civil_from_days`.
pub(crate) fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_795_261_445, "2026-11-21T11:44:05Z"),
        ] {
            assert_eq!(super::date(seconds), text);
        }
    }
}
