//! As much of a shell's grammar as the documentation's commands have.

/// The commands of a block: a line with those that it goes on in, without comments.
pub(super) fn statements(lines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = lines.iter();
    while let Some(line) = rest.next() {
        let mut statement = without_comment(line).to_owned();
        while let Some(more) = goes_on(&statement).then(|| rest.next()).flatten() {
            let begun = statement.strip_suffix('\\').map_or_else(|| format!("{statement}\n"), str::to_owned);
            statement = begun + without_comment(more);
        }
        if let Some(end) = heredoc(&statement).map(str::to_owned) {
            for more in rest.by_ref().take_while(|line| **line != end) {
                statement.push('\n');
                statement.push_str(more);
            }
        }
        if !statement.trim().is_empty() {
            found.push(statement.trim().split_inclusive(' ').collect());
        }
    }
    found
}

/// The simple commands of a statement, word for word, without redirections and without variables that are set before them.
pub(super) fn commands(statement: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let first = statement.split_once("<<").map_or(statement, |(before, _)| before);
    let mut to_file = false;
    for word in words(first) {
        match word.as_str() {
            "&&" | "||" | "|" | ";" | "&" => commands.push(Vec::new()),
            ">" | ">>" | "<" | "2>" => to_file = true,
            _ if to_file => to_file = false,
            _ => {
                let command = commands.last_mut().expect("one at least");
                if !command.is_empty() || !is_assignment(&word) {
                    command.push(word);
                }
            }
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

/// Words, and the signs between commands; quotes are taken off.
fn words(text: &str) -> Vec<String> {
    let (mut found, mut word, mut quote, mut depth) = (Vec::new(), None::<String>, None, 0_u32);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let open = quote.is_none() && depth == 0;
        match letter {
            '\'' | '"' if quote == Some(letter) => quote = None,
            '\'' | '"' if quote.is_none() => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            '(' if quote != Some('\'') && word.as_deref().is_some_and(|word| depth > 0 || word.ends_with('$')) => {
                depth += 1;
                word.get_or_insert_default().push(letter);
            }
            ')' if depth > 0 => {
                depth -= 1;
                word.get_or_insert_default().push(letter);
            }
            _ if open && letter.is_whitespace() => found.extend(word.take()),
            '|' | '&' | ';' | '<' | '>' if open => {
                found.extend(word.take());
                let twice = letters.next_if_eq(&letter).is_some();
                found.push(if twice { format!("{letter}{letter}") } else { letter.to_string() });
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    found.extend(word);
    found
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match letter {
            '\'' | '"' if quote == Some(letter) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(letter),
            '#' if quote.is_none() && before.is_whitespace() => return line[..at].trim_end(),
            _ => {}
        }
        before = letter;
    }
    line.trim_end()
}

/// Whether a quote is open, or the line says so.
fn goes_on(statement: &str) -> bool {
    let mut quote = None;
    for letter in statement.chars() {
        match letter {
            '\'' | '"' if quote == Some(letter) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(letter),
            _ => {}
        }
    }
    quote.is_some() || statement.ends_with('\\')
}

fn heredoc(statement: &str) -> Option<&str> {
    let (_, word) = statement.split_once("<<")?;
    Some(word.trim_matches(['\'', '"']))
}

#[test]
fn statements_and_commands_are_found() {
    let lines: Vec<String> =
        ["# nothing", "a b   # c", "", "X=1 d \\", "  -e 'f #", "g' | h > i && j", "cat <<'END'", "text", "END", "k"]
            .map(str::to_owned)
            .to_vec();
    let found = statements(&lines);
    assert_eq!(found, ["a b", "X=1 d   -e 'f #\ng' | h > i && j", "cat <<'END'\ntext", "k"]);
    assert_eq!(commands(&found[1]), [vec!["d", "-e", "f #\ng"], vec!["h"], vec!["j"]]);
    assert_eq!(commands("A=$(b c | d) e \"$(f)\" < g"), [vec!["e", "$(f)"]]);
}
