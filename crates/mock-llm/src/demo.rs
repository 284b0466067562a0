//! What the demo model says: plain, useful Markdown, the same for the same words.

use std::fmt::Write as _;

/// What the answer may depend on.
pub(crate) struct Prompt<'a> {
    /// The last user message, without directives.
    pub(crate) text: &'a str,
    /// How many user messages there are.
    pub(crate) turns: usize,
    /// What the called functions put out, when the answer is about that.
    pub(crate) outputs: &'a [&'a str],
}

/// The answer to `prompt`.
pub(crate) fn answer(prompt: &Prompt<'_>) -> String {
    if !prompt.outputs.is_empty() {
        return about_outputs(prompt.outputs);
    }
    let words: Vec<String> = prompt
        .text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let wants_table = has(&["table", "tables", "compare", "comparison"]);
    let wants_code = has(&[
        "code",
        "function",
        "program",
        "script",
        "rust",
        "python",
        "javascript",
        "typescript",
        "sql",
    ]);
    let wants_list = has(&["list", "steps", "ideas", "points", "plan"]);
    let asks_who = has(&["who", "skein", "demo", "help"]);

    if words.is_empty() {
        return "I received an empty message. Write anything, and Skein's demo model answers."
            .to_owned();
    }
    if !(wants_table || wants_code || wants_list || asks_who) && words.len() <= 4 {
        return short(prompt, has(&["hi", "hello", "hey", "hallo", "moin"]));
    }
    let mut out = opening(prompt);
    let everything = !(wants_table || wants_code || wants_list);
    if wants_list || everything {
        list(&mut out, prompt, &words);
    }
    if wants_code || everything {
        code(&mut out, prompt);
    }
    if wants_table {
        table(&mut out, prompt, &words);
    }
    out.push_str("Ask for a *list*, a *table* or some *code* to see how Skein shows them.");
    out
}

/// The text about the outputs of called functions.
pub(crate) fn about_outputs(outputs: &[&str]) -> String {
    match outputs {
        [only] => format!("The tool answered: {only}"),
        several => several.iter().enumerate().fold(
            "The tools answered:\n".to_owned(),
            |mut out, (i, output)| {
                let _ = write!(out, "\n{}. {output}", i + 1);
                out
            },
        ),
    }
}

fn short(prompt: &Prompt<'_>, greeting: bool) -> String {
    if greeting {
        return "Hello! I am **Skein's demo model**. I know nothing about the world, but I answer at the \
                pace of a real model. Ask me for a list, a table or some code."
            .to_owned();
    }
    format!(
        "You wrote “{}”. I am **Skein's demo model**, so that is about all I can say; connect a real model \
         for a real answer.",
        quoted(prompt.text)
    )
}

fn opening(prompt: &Prompt<'_>) -> String {
    format!(
        "This is **Skein's demo model**: no model is configured, so I answer from your own words.\n\n\
         > {}\n\n",
        quoted(prompt.text)
    )
}

fn list(out: &mut String, prompt: &Prompt<'_>, words: &[String]) {
    let longest = longest(words);
    let _ = write!(
        out,
        "What I can tell about your message:\n\n\
         1. It has **{} words** and {} characters.\n\
         2. Its longest word is `{longest}`.\n\
         3. It is message number {} from you in this conversation.\n\n",
        words.len(),
        prompt.text.chars().count(),
        prompt.turns,
    );
}

fn code(out: &mut String, prompt: &Prompt<'_>) {
    let text: String = quoted(prompt.text);
    let _ = write!(
        out,
        "```rust\nfn main() {{\n    let message = {text:?};\n    \
         println!(\"{{}} words\", message.split_whitespace().count());\n}}\n```\n\n",
    );
}

fn table(out: &mut String, prompt: &Prompt<'_>, words: &[String]) {
    let _ = write!(
        out,
        "| What | Value |\n| --- | ---: |\n| Words | {} |\n| Characters | {} |\n| Longest word | {} |\n\
         | Your messages so far | {} |\n\n",
        words.len(),
        prompt.text.chars().count(),
        longest(words),
        prompt.turns,
    );
}

/// The first of the longest words.
fn longest(words: &[String]) -> &str {
    words
        .iter()
        .rev()
        .max_by_key(|word| word.chars().count())
        .map_or("", String::as_str)
}

/// The text on one line, at most 120 characters of it.
fn quoted(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut chars = line.chars();
    let mut start: String = chars.by_ref().take(120).collect();
    if chars.next().is_some() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests;
