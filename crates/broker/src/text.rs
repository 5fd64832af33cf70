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

/// Controls, zero-width and bidirectional characters, variation selectors, tags: what makes a text read otherwise than it is.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_is_shown_is_what_is_there() {
        assert_eq!(shown("  Travel\n\tBot ", 80), "Travel Bot");
        assert_eq!(shown("evil\u{202e}tob\u{200b}\u{0007}", 80), "eviltob");
        assert_eq!(shown("abcdef", 3), "abc…");
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("<b>", 80), "<b>");
    }
}
