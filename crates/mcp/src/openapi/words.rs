//! Words, as they are compared: small letters, without endings of the plural.

use super::names::snake;

/// The words of a text or of an identifier, in order.
pub(super) fn of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in text.split(|character: char| !character.is_alphanumeric()).filter(|piece| !piece.is_empty()) {
        if piece.is_ascii() {
            words.extend(snake(piece).split('_').map(stem));
        } else {
            words.push(piece.to_lowercase());
        }
    }
    words
}

/// The words of a question, without those that say nothing; all of them where nothing else is left.
pub(super) fn asked(query: &str) -> Vec<String> {
    let mut words = of(query);
    words.truncate(MAX_ASKED);
    let telling: Vec<String> = words.iter().filter(|word| !is_filler(word)).cloned().collect();
    if telling.is_empty() { words } else { telling }
}

fn stem(word: &str) -> String {
    let cut = |ending: &str, instead: &str| {
        word.strip_suffix(ending).filter(|rest| rest.len() > 2).map(|rest| format!("{rest}{instead}"))
    };
    if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    cut("ies", "y")
        .or_else(|| {
            ["sses", "xes", "ches", "shes", "uses"]
                .iter()
                .any(|ending| word.ends_with(ending))
                .then(|| cut("es", ""))?
        })
        .or_else(|| cut("s", ""))
        .unwrap_or_else(|| word.to_owned())
}

fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

const MAX_ASKED: usize = 12;
const FILLERS: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "do", "doe", "every", "for", "from",
    "has", "have", "how", "i", "in", "into", "is", "it", "its", "me", "my", "of", "on", "or", "our", "please", "some",
    "that", "the", "their", "them", "there", "these", "this", "to", "want", "what", "which", "who", "with", "you",
    "your",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_endings() {
        assert_eq!(
            of("listTickets in Categories, statuses; boxes: addresses"),
            ["list", "ticket", "in", "category", "status", "box", "address"]
        );
        assert_eq!(of("status address analysis bus gas"), ["status", "address", "analysis", "bus", "gas"]);
        assert_eq!(of("/v1/customers/{id}"), ["v1", "customer", "id"]);
        assert_eq!(of("Tickets öffnen"), ["ticket", "öffnen"]);
    }

    #[test]
    fn fillers_say_nothing_unless_they_are_all_there_is() {
        assert_eq!(asked("all of my open tickets"), ["open", "ticket"]);
        assert_eq!(asked("who am I"), ["am"]);
        assert_eq!(asked("what is it"), ["what", "is", "it"]);
        assert_eq!(asked(""), Vec::<String>::new());
    }
}
