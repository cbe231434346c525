//! Expressions: arithmetic as a tree, which is read once and worked out for any values of its words.

use crate::arithmetic::special::power_of_two;
use crate::error::quoted;
use crate::limits::rules::MAX_EXPRESSION_BYTES;
use crate::{Error, ErrorKind};

type Unary = fn(f64) -> f64;
type Binary = fn(f64, f64) -> f64;

/// The functions of a number.
const FUNCTIONS: [(&str, Unary); 4] = [("sqrt", f64::sqrt), ("floor", f64::floor), ("ceil", f64::ceil), ("exp2", exp2)];
/// The functions that ask a configuration.
const QUESTIONS: [&str; 3] = ["len", "given", "has"];

/// The operators between two numbers, those first whose text begins with another one's: how strongly each binds, and what it does, as IEEE
/// 754 rounds it.
const OPERATORS: [(&str, u8, Binary); 13] = [
    ("||", 0, |a, b| truth(a != 0.0 || b != 0.0)),
    ("&&", 1, |a, b| truth(a != 0.0 && b != 0.0)),
    ("==", 2, |a, b| truth(a == b)),
    ("!=", 2, |a, b| truth(a != b)),
    ("<=", 2, |a, b| truth(a <= b)),
    (">=", 2, |a, b| truth(a >= b)),
    ("<", 2, |a, b| truth(a < b)),
    (">", 2, |a, b| truth(a > b)),
    ("+", 3, |a, b| a + b),
    ("-", 3, |a, b| a - b),
    ("*", 4, |a, b| a * b),
    ("/", 4, |a, b| a / b),
    ("%", 4, |a, b| a % b),
];

/// 2^k of a whole k, exactly: no number of another one, nor where 2^k is no normal number.
fn exp2(k: f64) -> f64 {
    let is_exponent = k.fract() == 0.0 && (-1022.0..=1023.0).contains(&k);
    if is_exponent { power_of_two(k) } else { f64::NAN }
}

/// A truth, as expressions count it.
pub(super) fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// A tree of numbers, words and operators.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Number(f64),
    Word(String),
    /// A question to a configuration: about a key, with a number.
    Question {
        key: String,
        question: Question,
        number: Option<Box<Expression>>,
    },
    Unary(Unary, Box<Expression>),
    /// An operator between two numbers: the right one is not worked out where the left one, being this truth, settles the whole.
    Binary {
        apply: Binary,
        settles: Option<bool>,
        sides: Box<[Expression; 2]>,
    },
}

/// A question about a key of a configuration.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// `KEY[NUMBER]`, whose number is written so.
    Item(String),
    /// `KEY == 'PATTERN'` or `!=`, of an item if there is a number, which is written so.
    Is { pattern: String, equal: bool, written: String },
    /// `len(KEY)`.
    Length,
    /// `given(KEY)`.
    Given,
    /// `has(KEY, NUMBER)`.
    Has,
}

/// The meanings of an expression's words.
pub(super) trait Scope {
    /// The number of a word.
    fn word(&self, word: &str) -> Result<f64, Error>;

    /// The answer to a question.
    fn answer(&self, key: &str, question: &Question, number: Option<f64>) -> Result<f64, Error>;
}

impl Expression {
    /// Reads numbers, words, `+ - * / %`, `== != < <= > >=`, `&& || !`, `sqrt floor ceil exp2` and parentheses; products and quotients come
    /// before sums and differences, these before comparisons, and all go from left to right, `&&` and `||` no further than they need.
    /// `asks` allows questions to a configuration as well.
    pub fn read(text: &str, asks: bool) -> Result<Expression, Error> {
        if text.len() > MAX_EXPRESSION_BYTES {
            let thing = format!("the formula {}", quoted(text));
            let (value, allowed) = (format!("longer than {MAX_EXPRESSION_BYTES} characters"), "a shorter one");
            return Err(Error::new(ErrorKind::Rules, thing, value, allowed));
        }
        let mut reader = Reader { text, rest: text, asks };
        let expression = reader.binary(0)?;
        if reader.next().is_some() { Err(reader.wants("an operator")) } else { Ok(expression) }
    }

    /// Its value, which need not be finite.
    pub fn value(&self, scope: &impl Scope) -> Result<f64, Error> {
        Ok(match self {
            Expression::Number(number) => *number,
            Expression::Word(word) => scope.word(word)?,
            Expression::Question { key, question, number } => {
                let number = number.as_ref().map(|number| number.value(scope)).transpose()?;
                scope.answer(key, question, number)?
            }
            Expression::Unary(apply, of) => apply(of.value(scope)?),
            Expression::Binary { apply, settles, sides } => {
                let left = sides[0].value(scope)?;
                if *settles == Some(left != 0.0) { truth(left != 0.0) } else { apply(left, sides[1].value(scope)?) }
            }
        })
    }

    /// The first of its words that is not known.
    pub fn unknown_word(&self, is_known: &impl Fn(&str) -> bool) -> Option<&str> {
        match self {
            Expression::Number(_) => None,
            Expression::Word(word) => (!is_known(word)).then_some(word),
            Expression::Question { number, .. } => number.as_ref().and_then(|number| number.unknown_word(is_known)),
            Expression::Unary(_, of) => of.unknown_word(is_known),
            Expression::Binary { sides, .. } => sides.iter().find_map(|side| side.unknown_word(is_known)),
        }
    }
}

/// An error of this formula.
pub(super) fn failed(text: &str, reason: &str) -> Error {
    Error::failed(ErrorKind::Rules, format!("the formula {}", quoted(text)), reason)
}

/// A text on its way to a tree.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    asks: bool,
}

impl<'a> Reader<'a> {
    /// The next character that is no space.
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches(' ');
        self.rest.chars().next()
    }

    /// Passes over this text, if it is next.
    fn takes(&mut self, text: &str) -> bool {
        self.next();
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, text: &str) -> Result<(), Error> {
        if self.takes(text) { Ok(()) } else { Err(self.wants(text)) }
    }

    /// The text up to the first character that is not such a one.
    fn take_while(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let (taken, rest) = self.rest.split_at(self.rest.find(|c| !is(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// The error where something else is wanted than what is next.
    fn wants(&mut self, wanted: &str) -> Error {
        match self.next() {
            Some(c) if !(is_word(c) || "+-*/%()<>=!&|".contains(c) || self.asks && "[],'".contains(c)) => {
                let operators = "+ - * / % sqrt floor ceil exp2, == != < <= > >= && || !, and parentheses";
                let questions = ", and KEY[NUMBER], KEY == 'TEXT', len(KEY), given(KEY), has(KEY, NUMBER)";
                let error = failed(self.text, &format!("has \"{}\"", c.escape_debug()));
                error.allowing(format!("{operators}{}", if self.asks { questions } else { "" }))
            }
            next => {
                let place = if next.is_some() { quoted(self.rest) } else { "its end".into() };
                failed(self.text, "cannot be read").because(format!("{wanted} is wanted at {place}"))
            }
        }
    }

    /// Operands with operators between them that bind at least so strongly.
    fn binary(&mut self, least: u8) -> Result<Expression, Error> {
        let mut left = self.unary()?;
        loop {
            self.next();
            let operator = OPERATORS.iter().find(|(text, ..)| self.rest.starts_with(text));
            let Some((text, strength, apply)) = operator.filter(|(_, strength, _)| *strength >= least) else {
                return Ok(left);
            };
            self.takes(text);
            let settles = match *text {
                "||" => Some(true),
                "&&" => Some(false),
                _ => None,
            };
            let sides = Box::new([left, self.binary(strength + 1)?]);
            left = Expression::Binary { apply: *apply, settles, sides };
        }
    }

    /// An operand with the operators before it.
    fn unary(&mut self) -> Result<Expression, Error> {
        if self.takes("-") {
            return Ok(Expression::Unary(|a| -a, Box::new(self.unary()?)));
        }
        if self.takes("!") {
            return Ok(Expression::Unary(|a| truth(a == 0.0), Box::new(self.unary()?)));
        }
        if self.takes("+") { self.unary() } else { self.operand() }
    }

    fn operand(&mut self) -> Result<Expression, Error> {
        match self.next() {
            Some('(') => {
                self.expect("(")?;
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if is_word(c) => {
                let word = self.take_while(is_word);
                self.word(word)
            }
            _ => Err(self.wants("a number, a word or a parenthesis")),
        }
    }

    /// Digits with a point among them, and an exponent.
    fn number(&mut self) -> Result<Expression, Error> {
        let start = self.rest;
        let digits = |c: char| c.is_ascii_digit();
        let mut count = self.take_while(digits).len();
        if self.rest.starts_with('.') {
            self.rest = &self.rest[1..];
            count += self.take_while(digits).len();
        }
        if let Some(exponent) = self.rest.strip_prefix(['e', 'E']) {
            let signed = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if signed.starts_with(digits) {
                self.rest = signed;
                self.take_while(digits);
            }
        }
        let number = start[..start.len() - self.rest.len()].parse().ok().filter(|_| count > 0);
        match number {
            Some(number) => Ok(Expression::Number(number)),
            None => Err(self.wants("a digit")),
        }
    }

    /// The expression that a word begins: a function, a question, or nothing but itself.
    fn word(&mut self, word: &str) -> Result<Expression, Error> {
        if self.next() == Some('(') {
            return self.call(word);
        }
        let key = word.to_string();
        if self.asks && self.takes("[") {
            let before = self.rest;
            let number = Some(Box::new(self.binary(0)?));
            let shown = before[..before.len() - self.rest.len()].trim().to_string();
            self.expect("]")?;
            let question = self.comparison(&shown)?.unwrap_or(Question::Item(shown));
            return Ok(Expression::Question { key, question, number });
        }
        Ok(match self.comparison("")? {
            Some(question) => Expression::Question { key, question, number: None },
            None => Expression::Word(key),
        })
    }

    fn call(&mut self, function: &str) -> Result<Expression, Error> {
        self.expect("(")?;
        if let Some((_, apply)) = FUNCTIONS.iter().find(|(name, _)| *name == function) {
            let of = self.binary(0)?;
            self.expect(")")?;
            return Ok(Expression::Unary(*apply, Box::new(of)));
        }
        if !(self.asks && QUESTIONS.contains(&function)) {
            let known = FUNCTIONS.iter().map(|(name, _)| *name).chain(QUESTIONS.into_iter().filter(|_| self.asks));
            let error = failed(self.text, &format!("has the function \"{function}\""));
            return Err(error.allowing(known.collect::<Vec<_>>().join(", ")));
        }
        self.next();
        let key = self.take_while(is_word).to_string();
        if key.is_empty() {
            return Err(self.wants("a key"));
        }
        let (question, number) = match function {
            "len" => (Question::Length, None),
            "given" => (Question::Given, None),
            _ => {
                self.expect(",")?;
                (Question::Has, Some(Box::new(self.binary(0)?)))
            }
        };
        self.expect(")")?;
        Ok(Expression::Question { key, question, number })
    }

    /// A comparison with a text, if one is next.
    fn comparison(&mut self, written: &str) -> Result<Option<Question>, Error> {
        let before = self.rest;
        let equal = self.takes("==");
        if !(self.asks && (equal || self.takes("!=")) && self.takes("'")) {
            self.rest = before;
            return Ok(None);
        }
        let pattern = self.take_while(|c| c != '\'').to_string();
        self.expect("'")?;
        Ok(Some(Question::Is { pattern, equal, written: written.into() }))
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

/// Whether a word is a function's.
pub(super) fn is_function(word: &str) -> bool {
    FUNCTIONS.iter().any(|(name, _)| *name == word) || QUESTIONS.contains(&word)
}
