/// A text from outside, fit to be shown to a person: without control, bidirectional and invisible characters, white space folded, at
/// most `limit` characters. Escaping is for whoever renders it.
pub(crate) fn shown(text: &str, limit: usize) -> String {
    let visible: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c)).collect();
    let folded: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    let folded = folded.join(" ");
    match folded.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", folded.get(..end).unwrap_or_default()),
        None => folded,
    }
}

/// The same; `None` where nothing is left to show.
pub(crate) fn named(text: &str, limit: usize) -> Option<String> {
    Some(shown(text, limit)).filter(|shown| !shown.is_empty())
}

/// Controls, zero-width and bidirectional characters, variation selectors, tags, blanks: what makes a text read otherwise than it is. All of
/// Unicode's categories Cc and Cf and its default-ignorable characters are among them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{0600}'..='\u{0605}' | '\u{061c}' | '\u{06dd}' | '\u{070f}' | '\u{0890}' | '\u{0891}'
            | '\u{08e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{named, shown};

    #[test]
    fn what_is_shown_is_what_is_there() {
        assert_eq!(shown("  Travel\n\tBot ", 80), "Travel Bot");
        assert_eq!(shown("evil\u{202e}tob\u{200b}\u{0007}", 80), "eviltob");
        assert_eq!(shown("abcdef", 3), "abc…");
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("<b>", 80), "<b>");
    }

    #[test]
    fn a_name_of_nothing_is_none() {
        for text in ["", "  ", "\u{200b}\u{2800}", "\u{3164}\n", "\u{1d173}\u{13430}\u{fff0}"] {
            assert_eq!(named(text, 80), None, "{text:?}");
        }
        assert_eq!(named(" x ", 80).as_deref(), Some("x"));
    }
}
