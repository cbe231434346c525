//! Printing: what leaves the program for a terminal or another program, to a reader that may go away.
//!
//! Names come from strangers' files, and a terminal obeys some characters. So all that is printed is escaped here, and nowhere
//! else.

use std::fmt::{Arguments, Write as _};
use std::io::{self, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// Prints a line. If it cannot be written, the program ends instead of panicking.
macro_rules! say {
    ($($arguments:tt)*) => { $crate::say::line(format_args!($($arguments)*)) };
}

/// The exit code where what the program prints cannot be written. For `verify`, 1 would be "different".
const UNSAID: i32 = 3;

pub fn line(line: Arguments<'_>) {
    write(&(escaped(&line.to_string()) + "\n"));
}

/// Prints JSON on a line.
pub fn json(value: &impl Serialize) {
    write(&(escaped_json(value) + "\n"));
}

/// A JSON list that is printed on a line, an element at a time: it may be long.
#[derive(Default)]
pub struct JsonList {
    elements: u64,
}

impl JsonList {
    pub fn push(&mut self, value: &impl Serialize) {
        write(if self.elements == 0 { "[" } else { "," });
        write(&escaped_json(value));
        self.elements += 1;
    }

    pub fn end(self) {
        write(if self.elements == 0 { "[]\n" } else { "]\n" });
    }
}

/// The JSON of a value, with what only a terminal minds escaped too.
fn escaped_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("all that is printed has texts as keys");
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_printable(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

/// A line for people beside the output, to stderr.
pub fn aside(line: &str) {
    // A closed stream has nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{}", escaped(line));
}

fn write(text: &str) {
    if let Err(e) = io::stdout().lock().write_all(text.as_bytes()) {
        // Of `fanin ... | head`, nobody wants to hear.
        if e.kind() != io::ErrorKind::BrokenPipe {
            aside(&format!("fanin: the output cannot be written: {e}"));
        }
        std::process::exit(UNSAID);
    }
}

/// A text in a column of this width, which lines up as it is printed.
pub fn column(text: &str, width: usize) -> String {
    let text = escaped(text);
    let blank = width.saturating_sub(text.width());
    text + &" ".repeat(blank)
}

/// The width of the column that holds all of these texts.
pub fn width<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    texts.into_iter().map(|text| escaped(text).width()).max().unwrap_or(0)
}

/// The text as it is printed. A text that is escaped already stays as it is.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) { escaped.push(c) } else { escaped.extend(c.escape_debug()) }
    }
    escaped
}

/// True if a character shows itself, and does nothing else: no line end or other control, no direction or other format.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.escape_debug().len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_what_people_read_is_not() {
        for plain in ["encoder.layer.0.weight", r#"C:\x "y" 'z'"#, "größe", "重み", "▁▂█ [1, 2]"] {
            assert_eq!(escaped(plain), plain);
        }
        let controls = ('\0'..' ').chain('\u{7f}'..='\u{9f}').chain(['\u{ad}', '\u{61c}', '\u{feff}']);
        let formats = ('\u{200b}'..='\u{200f}').chain('\u{2028}'..='\u{202e}').chain('\u{2060}'..='\u{206f}');
        for c in controls.chain(formats).chain(['\u{e0041}', '\u{1d173}']) {
            let text = escaped(&c.to_string());
            assert!(text.starts_with('\\') && text.chars().all(|c| matches!(c, ' '..='~')), "{c:?}: {text}");
            assert_eq!(escaped(&text), text);
        }
        assert_eq!(escaped("a\u{1b}[31m\nb\u{202e}"), r"a\u{1b}[31m\nb\u{202e}");
        let value = serde_json::json!({"重み": "\u{1b}\u{202e}\u{e0041}\""});
        let json = escaped_json(&value);
        assert_eq!(json, r#"{"重み":"\u001b\u202e\udb40\udc41\""}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }

    #[test]
    fn columns_are_as_wide_as_they_are_printed() {
        let texts = ["a", "\u{1b}[0m", "重み"];
        let width = width(texts);
        assert_eq!(width, r"\u{1b}[0m".len());
        for text in texts {
            assert_eq!(column(text, width).width(), width);
        }
    }
}
